import { expect, inject } from 'vitest';
import { createPictureBuffers, createSplatBuffers } from '../../demo/splats/model/buffers.js';
import { Densifier } from '../../demo/splats/model/densifier.js';
import { planSplats } from '../../demo/splats/model/plan.js';
import { PrefixSums } from '../../demo/splats/model/scan.js';
import { SplatFit } from '../../demo/splats/model/splat-fit.js';
import { Random } from '../../proof/random.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { gpuTest } from '../support/device.js';
import { GRADIENT_LENGTH, SPLAT_LENGTH, type SplatTwin, splatTwin } from '../support/splat-twin.js';

/** Sides that are no whole number of tiles. */
const [WIDTH, HEIGHT] = [44, 27];
const SEED = inject('seed');

/** Smooth colours with an edge in them. */
const smoothPhoto = Uint32Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
  const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
  const red = Math.round(127 + 120 * Math.sin(x / 5));
  return red | (Math.round((255 * y) / HEIGHT) << 8) | ((x > y ? 200 : 40) << 16) | (255 << 24);
});

/** Of all kinds. */
const photoOf = (random: Random, width: number, height: number): Uint32Array<ArrayBuffer> =>
  Uint32Array.from({ length: width * height }, () => random.integer(2 ** 24) | (255 << 24));

/** Splats anywhere, some beside the picture, long and round, of all directions; what is padding is NaN. */
function someSplats(random: Random, count: number): Float32Array<ArrayBuffer> {
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const splats = Array.from({ length: count }, () => {
    const angle = between(0, 2 * Math.PI);
    const place = [between(-8, WIDTH + 8), between(-8, HEIGHT + 8)];
    const logScale = [between(-1, 1.5), between(-1, 1.5)];
    const opacity = between(-2, 2);
    const colour = [between(-1, 1), between(-1, 1), between(-1, 1)];
    return [...place, ...logScale, Math.cos(angle), Math.sin(angle), opacity, NaN, ...colour, NaN];
  });
  return Float32Array.from(splats.flat());
}

const floats = async (device: GPUDevice, buffer: GPUBuffer, count: number): Promise<Float32Array> =>
  new Float32Array((await readBuffer(device, buffer)).buffer, 0, count);

gpuTest('loss and gradients are those of float64', async ({ device, track }) => {
  const random = new Random(SEED);
  const photo = photoOf(random, WIDTH, HEIGHT);
  const plan = planSplats({ width: WIDTH, height: HEIGHT, count: 100, steps: 20, densifyEvery: 5 });
  const fit = track(await SplatFit.create(device, { plan, photo, seed: 1, keepsState: true }));
  const { splats: structs, gradients, shapes, entries, strains } = fit.buffers;
  // In float32 a pixel at the very edge of a splat may see it or not: such splats are drawn anew.
  let [splats, want]: [Float32Array<ArrayBuffer>, SplatTwin | undefined] = [Float32Array.of(), undefined];
  for (let k = 0; k < 20 && want?.isSure !== true; k++) {
    splats = someSplats(random, fit.count);
    want = splatTwin(splats, photo, plan.shape);
  }
  expect(want?.isSure).toBe(true);
  for (const buffer of [gradients, shapes, entries]) {
    device.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(0x7fc00000));
  }
  device.queue.writeBuffer(structs, 0, splats);
  device.queue.writeBuffer(strains, 0, new Float32Array(fit.count).fill(1));
  fit.computeGradients();
  const [loss] = await fit.readLosses(0, 1);
  expect(Math.abs(loss! - want!.loss)).toBeLessThanOrEqual(want!.lossBound);
  const got = await floats(device, gradients, GRADIENT_LENGTH * fit.count);
  const beyond = [...got].flatMap((value, i) =>
    Math.abs(value - want!.gradients[i]!) <= want!.bounds[i]!
      ? []
      : [`${i}: ${value}, not ${want!.gradients[i]} ± ${want!.bounds[i]}`],
  );
  expect(beyond).toEqual([]);
  // A bound that is wide proves little.
  const size = (values: Float64Array): number => values.reduce((sum, value) => sum + Math.abs(value), 0);
  expect(size(want!.bounds)).toBeLessThan(1e-3 * size(want!.gradients));
  const pulls = await floats(device, strains, fit.count);
  pulls.forEach((pull, k) => {
    const [x, y] = [got[GRADIENT_LENGTH * k + 4]!, got[GRADIENT_LENGTH * k + 5]!];
    expect(Math.abs(pull - 1 - Math.hypot(x, y))).toBeLessThanOrEqual(8 * 2 ** -24 * (1 + Math.hypot(x, y)));
  });
});

gpuTest('the map of a densification is what sorting gives, ties and all', async ({ device, track }) => {
  const random = new Random(SEED);
  // More than a block of prefix sums.
  const before = 2500 + random.integer(100);
  const [pruned, split] = [200 + random.integer(100), 400 + random.integer(100)];
  const after = before - pruned + split;
  const plan = planSplats({ width: 64, height: 64, count: 3000, steps: 20, densifyEvery: 5 });
  const made: GPUBuffer[] = [];
  const [from, to] = [0, 1].map(() => createSplatBuffers(device, plan, 3000, made)) as [
    ReturnType<typeof createSplatBuffers>,
    ReturnType<typeof createSplatBuffers>,
  ];
  const picture = createPictureBuffers(device, plan, made);
  const sums = await PrefixSums.create(device, 3000, made);
  const densifier = await Densifier.create(device, sums, picture);
  made.forEach(track);
  // Few values, so that there are ties at both thresholds; every tenth lies beside the picture.
  const worths = Array.from({ length: before }, (_, k) => (k % 10 === 0 ? 0 : 1 + random.integer(20)));
  const strains = Float32Array.from({ length: before }, () => random.integer(8) * 1e-6);
  const shapes = new ArrayBuffer(48 * before);
  worths.forEach((worth, k) => {
    new Uint32Array(shapes, 48 * k + 24, 2).set(k % 10 === 0 ? [5, 5] : [0, 0x00040004]);
    const strongest = k % 10 === 0 ? 9 : worth;
    new Float32Array(shapes, 48 * k + 32, 3).set([strongest / 4, -strongest, 0]);
  });
  for (const buffer of [from.keys, from.fates, from.keptRanks, from.splitRanks, to.rowMap, to.partners]) {
    device.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(0xdeadbeef));
  }
  device.queue.writeBuffer(from.shapes, 0, shapes);
  device.queue.writeBuffer(from.strains, 0, strains);
  densifier.makeMap(from, to, { step: 5, before, pruned, split, after });

  const rows = Array.from({ length: before }, (_, k) => k);
  const gone = new Set(rows.toSorted((a, b) => worths[a]! - worths[b]! || a - b).slice(0, pruned));
  const kept = rows.filter((row) => !gone.has(row));
  const chosen = new Set(kept.toSorted((a, b) => strains[b]! - strains[a]! || a - b).slice(0, split));
  const halves = kept.filter((row) => chosen.has(row));
  const map = await readBuffer(device, to.rowMap);
  expect([...map.subarray(0, after)]).toEqual([...kept, ...halves]);
  expect([...map.subarray(after)].every((word) => word === 0xdeadbeef)).toBe(true);
  const partners = await readBuffer(device, to.partners);
  expect([...partners.subarray(0, split)]).toEqual(halves.map((row) => kept.indexOf(row)));

  // Both halves have the whole's mass, centre and variance along the longer axis.
  const wholes = someSplats(random, before);
  const mapped = new Float32Array([...kept, ...halves].flatMap((row) => [...rowOf(wholes, row)]));
  device.queue.writeBuffer(to.splats, 0, mapped);
  densifier.halve(to, { step: 5, before, pruned, split, after });
  const got = await floats(device, to.splats, SPLAT_LENGTH * after);
  halves.forEach((row, k) => {
    const whole = rowOf(wholes, row);
    const pair = [rowOf(got, kept.indexOf(row)), rowOf(got, kept.length + k)];
    expect(differences(whole, pair as [Float32Array, Float32Array])).toBeLessThan(1e-5);
  });
  const others = kept.flatMap((row, k) => (chosen.has(row) ? [] : [[k, row] as const]));
  expect(
    others.every(([k, row]) => rowOf(got, k).every((value, i) => Object.is(value, rowOf(wholes, row)[i]))),
  ).toBe(true);
});

function rowOf(splats: Float32Array, row: number): Float32Array {
  return splats.subarray(SPLAT_LENGTH * row, SPLAT_LENGTH * (row + 1));
}

/** The largest difference of moments of a splat and of two, each relative to a pixel, a colour or a variance of the whole. */
function differences(whole: Float32Array, halves: readonly [Float32Array, Float32Array]): number {
  const momentsOf = (splat: Float32Array) => {
    const [x, y, s1, s2, cos, sin] = splat as unknown as [number, number, number, number, number, number];
    const [v1, v2] = [Math.exp(2 * s1), Math.exp(2 * s2)];
    const area = Math.exp(s1 + s2);
    return {
      mass: [8, 9, 10].map((c) => splat[c]! * area),
      centre: [x, y],
      variance: [cos * cos * v1 + sin * sin * v2, sin * sin * v1 + cos * cos * v2, cos * sin * (v1 - v2)],
    };
  };
  const want = momentsOf(whole);
  const [a, b] = halves.map(momentsOf) as [ReturnType<typeof momentsOf>, ReturnType<typeof momentsOf>];
  const mean = (i: number): number => (a.centre[i]! + b.centre[i]!) / 2;
  const spread = (i: number, j: number): number =>
    ([a, b] as const).reduce(
      (sum, { centre }) => sum + ((centre[i]! - mean(i)) * (centre[j]! - mean(j))) / 2,
      0,
    );
  const variances = [spread(0, 0), spread(1, 1), spread(0, 1)].map(
    (value, k) => value + (a.variance[k]! + b.variance[k]!) / 2 - want.variance[k]!,
  );
  const masses = want.mass.map((mass, c) => a.mass[c]! + b.mass[c]! - mass);
  const centres = want.centre.map((place, i) => mean(i) - place);
  const size = Math.max(...want.variance.map(Math.abs), 1);
  return Math.max(...[...masses, ...centres, ...variances].map((value) => Math.abs(value) / size));
}

gpuTest(
  'splats grow as planned, beyond their buffers too, and a seed gives the same bits twice',
  async ({ device }) => {
    const plan = planSplats({ width: WIDTH, height: HEIGHT, count: 300, steps: 30, densifyEvery: 6 });
    const course = async (keepsState: boolean) => {
      const fit = await SplatFit.create(device, { plan, photo: smoothPhoto, seed: 3, keepsState });
      try {
        const rooms = new Set<number>();
        const counts: number[] = [];
        for (let k = 0; k < plan.shape.steps; k++) {
          fit.step();
          rooms.add(fit.buffers.room);
          if (fit.stepCount % 6 === 0) counts.push(fit.count);
        }
        fit.render();
        const losses = [...(await fit.readLosses(0, plan.shape.steps + 1))];
        await fit.settled;
        const splats = await readBuffer(device, fit.buffers.splats);
        const { strayRows } = await fit.optimizer.stats();
        return {
          rooms: rooms.size,
          counts,
          losses,
          splats: [...splats.subarray(0, SPLAT_LENGTH * fit.count)],
          strayRows,
        };
      } finally {
        fit.destroy();
      }
    };
    const kept = await course(true);
    const after = plan.densifications.map((each) => each.after);
    expect(kept.counts).toEqual([...after, ...Array.from({ length: 2 }, () => plan.shape.count)]);
    expect(kept.rooms).toBeGreaterThan(1);
    expect(kept.strayRows).toBe(0);
    expect(kept.losses.at(-1)).toBeLessThan(0.1 * kept.losses[0]!);
    expect(await course(true)).toEqual(kept);
    const dropped = await course(false);
    const first = plan.densifications[0]!.step;
    // The step behind a densification is the first that shows it.
    expect(dropped.losses.slice(0, first + 1)).toEqual(kept.losses.slice(0, first + 1));
    expect(dropped.losses[first + 1]).not.toBe(kept.losses[first + 1]);
  },
);
