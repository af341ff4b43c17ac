import { fetchPhoto } from '../../demo/shared/photo.js';
import { planSplats } from '../../demo/splats/model/plan.js';
import { course, rates } from '../../demo/splats/model/rates.js';
import { SplatFit } from '../../demo/splats/model/splat-fit.js';
import { gpuTest } from '../support/device.js';

gpuTest('tune', async ({ device, track }) => {
  const photo = await fetchPhoto(128);
  const steps = 300;
  const plan = planSplats({ width: photo.width, height: photo.height, count: 1500, steps, densifyEvery: 30 });
  for (const [beta2, p, s, c] of [[0.99, 1, 1, 1], [0.95, 1, 1, 1], [0.99, 2, 2, 1], [0.99, 1, 2, 2], [0.99, 2, 2, 2]] as const) {
    const curves: number[][] = [];
    for (const keepsState of [true, false]) {
      const fit = track(await SplatFit.create(device, { plan, photo: photo.pixels, seed: 1, keepsState }));
      [p, s, c].forEach((factor, g) => fit.optimizer.groups[g]!.set({ betas: [0.9, beta2], lr: course(rates[g]!.lr * factor, steps) }));
      for (let k = 0; k < steps; k++) { fit.step(); if (k % 20 === 0) await device.queue.onSubmittedWorkDone(); }
      fit.render();
      const losses = await fit.readLosses(0, steps + 1);
      await fit.settled;
      curves.push([...losses].map((l) => -10 * Math.log10(l)));
    }
    const rows = [];
    for (const k of [20, 29, 30, 31, 32, 35, 40, 50, 59, 60,61,62,65,70,80,90, 91, 92,95,100,110,119,120,121, 122,125,140,149,150,151,152,180,181,182,185,200,250,300]) rows.push(`${k}: ${curves[0]![k]!.toFixed(2)} ${curves[1]![k]!.toFixed(2)}`);
    console.log(beta2, p, s, c, rows.join(' | '));
  }
});
