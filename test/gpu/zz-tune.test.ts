import { fetchPhoto } from '../../demo/shared/photo.js';
import { planSplats } from '../../demo/splats/model/plan.js';
import { SplatFit } from '../../demo/splats/model/splat-fit.js';
import { gpuTest } from '../support/device.js';

gpuTest('tune', async ({ device, track }) => {
  const photo = await fetchPhoto(128);
  for (const count of [1500]) {
    const plan = planSplats({ width: photo.width, height: photo.height, count, steps: 300, densifyEvery: 30 });
    console.log(JSON.stringify(plan));
    const curves: number[][] = [];
    for (const keepsState of [true, false]) {
      const fit = track(await SplatFit.create(device, { plan, photo: photo.pixels, seed: 1, keepsState }));
      const t0 = performance.now();
      for (let k = 0; k < 300; k++) { fit.step(); if (k % 20 === 0) await device.queue.onSubmittedWorkDone(); }
      fit.render();
      const losses = await fit.readLosses(0, 301);
      await fit.settled;
      console.log(keepsState, 'ms/step', (performance.now() - t0) / 300);
      curves.push([...losses].map((l) => -10 * Math.log10(l)));
    }
    const rows = [];
    for (let k = 0; k <= 300; k += (k % 30 < 6 ? 1 : 6)) rows.push(`${k}: ${curves[0]![k]!.toFixed(2)} ${curves[1]![k]!.toFixed(2)}`);
    console.log(rows.join('\n'));
  }
});
