import { expect } from 'vitest';
import type { GradientMode } from '../../demo/large/model/levels.js';
import { type ModelPlan, planModel } from '../../demo/large/model/plan.js';
import { PhotoFit } from '../../demo/large/model/photo-fit.js';
import { type Photo, fetchPhoto } from '../../demo/shared/photo.js';
import { ruleFor } from '../../demo/large/settings.js';
import { adam } from '../../src/index.js';
import { readBuffer } from '../../proof/read-buffer.js';
import { gpuTest } from '../support/device.js';
import { type ModelWeights, type TwinResult, drawnPixels, roundings, twin } from '../support/photo-twin.js';

const SEED = 7;
/** Sides are powers of two: then the kernels' coordinates are exact, and a point is in the same cell on both sides. */
const [WIDTH, HEIGHT] = [128, 64];

function tinyPlan(gradients: GradientMode): ModelPlan {
  const grid = { levelCount: 4, coarsest: 4, finest: 127, tableSize: 8192 };
  return planModel({ width: WIDTH, height: HEIGHT, grid, hidden: 8, batch: 64, gradients });
}

/** Smooth colours with an edge in them. */
const photo = Uint32Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
  const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
  const red = Math.round(127 + 120 * Math.sin(x / 5));
  const green = Math.round((255 * y) / HEIGHT);
  return red | (green << 8) | ((x > y ? 200 : 40) << 16) | (255 << 24);
});

/** Cuts the two tables into levels. */
function intoLevels(
  { levels, firstSparse, firstEntries }: ModelPlan,
  dense: ArrayLike<number>,
  sparse: ArrayLike<number>,
): Float64Array[] {
  return levels.map(({ entryCount }, l) => {
    const table = Float64Array.from(l < firstSparse ? dense : sparse);
    return table.subarray(2 * firstEntries[l]!, 2 * (firstEntries[l]! + entryCount));
  });
}

async function readWeights(device: GPUDevice, { arena, plan, buffers }: PhotoFit): Promise<ModelWeights> {
  const layers = plan.layers.map(async (_, k) => ({
    weights: Float64Array.from(await arena.read(`weights${k}`)),
    bias: Float64Array.from(await arena.read(`bias${k}`)),
  }));
  const dense = plan.denseEntries > 0 ? await arena.read('table') : [];
  const sparse = new Float32Array((await readBuffer(device, buffers.sparseTable)).buffer);
  return { tables: intoLevels(plan, dense, sparse), layers: await Promise.all(layers) };
}

async function readGradients(device: GPUDevice, { arena, plan, buffers }: PhotoFit): Promise<ModelWeights> {
  const layers = plan.layers.map(async (_, k) => ({
    weights: Float64Array.from(await arena.readGrad(`weights${k}`)),
    bias: Float64Array.from(await arena.readGrad(`bias${k}`)),
  }));
  const dense = plan.denseEntries > 0 ? await arena.readGrad('table') : [];
  const rows = (await readBuffer(device, buffers.indices)).subarray(0, plan.gradientEntries);
  const values = new Float32Array((await readBuffer(device, buffers.values)).buffer);
  const sparse = new Float64Array(2 * plan.sparseEntries);
  rows.forEach((row, k) => {
    sparse[2 * row]! += values[2 * k]!;
    sparse[2 * row + 1]! += values[2 * k + 1]!;
  });
  return { tables: intoLevels(plan, dense, sparse), layers: await Promise.all(layers) };
}

/** The largest |got − want| / bound, which must be at most 1. */
function worst(got: Float64Array, want: Float64Array, bound: (i: number) => number): number {
  return got.reduce((most, value, i) => {
    const error = Math.abs(value - want[i]!);
    return error === 0 ? most : Math.max(most, error / bound(i));
  }, 0);
}

for (const mode of ['dense', 'auto', 'sparse'] as const) {
  gpuTest(`gradients of the whole model, tables ${mode}`, async ({ device, track }) => {
    const plan = tinyPlan(mode);
    expect(plan.firstSparse).toBe({ dense: 4, auto: 3, sparse: 0 }[mode]);
    expect(plan.levels.map(({ isHashed }) => isHashed)).toEqual([false, false, false, true]);
    const rule = adam({ lr: 0.02, eps: 1e-15 });
    const fit = track(await PhotoFit.create(device, { plan, photo, rule, seed: SEED }));
    // Away from the start, where tables are nearly zero and biases are.
    for (let k = 0; k < 20; k++) fit.step();
    const gamma = roundings(plan) * 2 ** -24;
    const compare = async (): Promise<TwinResult> => {
      fit.computeGradients();
      const pixels = drawnPixels(SEED, fit.stepCount, plan.shape.batch, WIDTH * HEIGHT);
      return twin(plan, await readWeights(device, fit), photo, pixels);
    };
    let want = await compare();
    // A rectifier that decides otherwise than in float64 would be another gradient, not a rounding: where one is that
    // close, which no batch can be kept from, the next one is taken.
    for (let k = 0; k < 5 && want.leastRelativeInput <= gamma; k++) {
      fit.step();
      want = await compare();
    }
    expect(want.leastRelativeInput).toBeGreaterThan(gamma);
    const got = await readGradients(device, fit);
    const errors: Record<string, number> = {};
    plan.layers.forEach((_, k) => {
      for (const part of ['weights', 'bias'] as const) {
        const sizes = want.magnitudes.layers[k]![part];
        errors[`${part}${k}`] = worst(
          got.layers[k]![part],
          want.gradients.layers[k]![part],
          (i) => gamma * sizes[i]!,
        );
      }
    });
    plan.levels.forEach((_, l) => {
      // Half a unit of the fixed point per corner added; a unit is at most 2 · peak · B / 2³⁰.
      const { batch } = plan.shape;
      const fixed = l < plan.firstSparse ? 4 * batch * 0.5 * ((2.01 * want.peaks[l]! * batch) / 2 ** 30) : 0;
      const sizes = want.magnitudes.tables[l]!;
      errors[`level ${l}`] = worst(
        got.tables[l]!,
        want.gradients.tables[l]!,
        (i) => gamma * sizes[i]! + fixed,
      );
    });
    for (const [what, error] of Object.entries(errors)) expect(error, what).toBeLessThanOrEqual(1);
    // A PSNR in float64 gives back the float32 loss.
    const loss = 10 ** (-(await fit.batchPsnr()) / 10);
    expect(Math.abs(loss - want.loss)).toBeLessThanOrEqual(gamma * want.lossMagnitude);
  });
}

/** PSNR in dB of a picture whose 8 × 8 blocks are their mean colours: what the coarsest level alone could be, about. */
function blocksPsnr({ width, height, pixels }: Photo): number {
  let sum = 0;
  for (let y0 = 0; y0 < height; y0 += 8) {
    for (let x0 = 0; x0 < width; x0 += 8) {
      const block = pixels.filter((_, i) => {
        const [x, y] = [i % width, Math.floor(i / width)];
        return x >= x0 && x < x0 + 8 && y >= y0 && y < y0 + 8;
      });
      for (const shift of [0, 8, 16]) {
        const values = Array.from(block, (word) => ((word >>> shift) & 255) / 255);
        const mean = values.reduce((total, value) => total + value, 0) / values.length;
        sum += values.reduce((total, value) => total + (value - mean) ** 2, 0);
      }
    }
  }
  return -10 * Math.log10(sum / (3 * pixels.length));
}

/** Fits the photograph, small; its PSNR every few steps, and the bits of picture and network at the end. */
async function fitShortly(device: GPUDevice, seed: number, gradients: GradientMode) {
  const photograph = await fetchPhoto(64);
  const { width, height, pixels } = photograph;
  const grid = { levelCount: 8, coarsest: 8, finest: 64, tableSize: 2 ** 11 };
  const plan = planModel({ width, height, grid, hidden: 16, batch: 512, gradients });
  const fit = await PhotoFit.create(device, { plan, photo: pixels, rule: ruleFor('adam', 0.01), seed });
  try {
    const psnrs: number[] = [];
    for (const steps of [0, 10, 20, 40]) {
      for (let k = 0; k < steps; k++) fit.step();
      for (let tile = 0; tile < fit.tileCount; tile++) fit.paintTile(tile);
      psnrs.push(await fit.picturePsnr());
    }
    const picture = [...new Uint32Array(await fit.readPicture())];
    return {
      psnrs,
      blocks: blocksPsnr(photograph),
      bits: [...picture, ...new Uint32Array((await fit.arena.read('weights1')).buffer)],
    };
  } finally {
    fit.destroy();
  }
}

gpuTest('the picture sharpens, and a seed gives the same bits twice', async ({ device }) => {
  const first = await fitShortly(device, 1, 'auto');
  // Monotone at these distances, and sharper than blocks.
  expect(first.psnrs).toEqual(first.psnrs.toSorted((a, b) => a - b));
  expect(first.psnrs.at(-1)).toBeGreaterThan(first.blocks);
  expect(await fitShortly(device, 1, 'auto')).toEqual(first);
  expect((await fitShortly(device, 2, 'auto')).bits).not.toEqual(first.bits);
});

gpuTest('a table that the device cannot bind is one clear error', async ({ device }) => {
  const grid = { levelCount: 16, coarsest: 16, finest: 4096, tableSize: 2 ** 24 };
  const shape = { width: 1024, height: 819, hidden: 64, batch: 1024, gradients: 'sparse' as const };
  const plan = planModel({ ...shape, grid });
  const options = { plan, photo: new Uint32Array(1024 * 819), rule: adam(), seed: 1 };
  await expect(PhotoFit.create(device, options)).rejects.toThrow(
    /^The model is too large: it takes a buffer of \d+ MB; this device binds at most 134 MB\. Choose a smaller table\.$/u,
  );
});
