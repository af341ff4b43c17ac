import { expect, inject } from 'vitest';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { ROW_BLOCK } from '../../src/plan/row-sums.js';
import { float32 } from '../../src/reference/arithmetic/arithmetic.js';
import { sumRows } from '../../src/reference/tensor/sum-rows.js';
import { planRowSums } from '../../src/stages/sparse/row-sums.js';
import { requestClaimedGpu } from '../support/claimed-gpu.js';
import { gpuTest } from '../support/device.js';
import { copyStorage } from '../support/read-storage.js';
import { makeBuffer } from '../support/tensors.js';

/** Sums on the GPU: per row that is named, its sum; and how often each row is named as the first of its entries. */
async function sumOnGpu(
  device: GPUDevice,
  track: Track,
  indices: ArrayLike<number>,
  values: Float32Array,
  rowLength: number,
  rowCount: number,
) {
  const words = (list: ArrayLike<number>) => new Float32Array(Uint32Array.from(list).buffer);
  const entryCount = indices.length;
  const piece = (buffer: GPUBuffer, element: number, elementCount: number) => ({
    buffer,
    byteOffset: 4 * element,
    elementCount,
  });
  // Rows of whole lanes are read as such where they lie so.
  const before = rowLength % 4 === 0 ? [NaN, NaN, NaN, NaN] : [NaN];
  const table = {
    rowLength,
    rowCount,
    byteLength: 4 * rowLength * rowCount,
    entryCount,
    indices: piece(makeBuffer(device, track, words([0, ...Array.from(indices)])), 1, entryCount),
    values: piece(makeBuffer(device, track, [...before, ...values]), before.length, entryCount * rowLength),
  };
  const sums = track(planRowSums(device, table, 'w', 'test').make());
  const copies = [await copyStorage(device, sums.summed.size), await copyStorage(device, sums.rows.size)];
  const encoder = device.createCommandEncoder({ label: 'test' });
  const pass = encoder.beginComputePass({ label: 'test' });
  sums.encode(pass);
  pass.end();
  copies[0]!.encode(encoder, sums.summed);
  copies[1]!.encode(encoder, sums.rows);
  device.queue.submit([encoder.finish()]);
  const summed = new Float32Array((await copies[0]!.read()).buffer);
  const rows = await copies[1]!.read();
  const ofRow = new Map<number, Float32Array>();
  rows.forEach((row, k) => {
    const sum = summed.subarray(k * rowLength, (k + 1) * rowLength);
    if (row === 0xffff_ffff) expect(sum.every((x) => Object.is(x, 0))).toBe(true);
    else {
      expect(ofRow.has(row)).toBe(false);
      ofRow.set(row, sum);
    }
  });
  return ofRow;
}

const CASES: [name: string, rowLength: number, counts: number[], isOnGpus?: true][] = [
  ['a row that every entry names', 1, [ROW_BLOCK ** 2 * 2 + 77]],
  ['rows around a block', 4, [ROW_BLOCK, ROW_BLOCK + 1, 1, ROW_BLOCK - 1, 2 * ROW_BLOCK]],
  ['rows around a block of blocks', 1, [ROW_BLOCK ** 2 + 1, 3, ROW_BLOCK ** 2, 40, ROW_BLOCK ** 2 - 1]],
  // Counters of 8 blocks of 4096 entries are a part of the scan; as GPUs have them, of 64 blocks of 1024.
  [
    'so many that the scan has parts',
    1,
    Array.from({ length: 600 }, (_, row) => 100 + ((7 * row) % 300)),
    true,
  ],
  ['short rows between long ones', 3, [1, 100, 2, 1500, 1, 1, 33, 64], true],
  ['few entries', 2, [3, 1, 40], true],
];

for (const [name, rowLength, counts, isOnGpus] of CASES) {
  gpuTest(`sums in blocks: ${name}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    // Rows in any order, with entries of no row among them.
    const rows = counts.flatMap((count, row) => Array<number>(count).fill(3 * row + 1));
    rows.push(...Array<number>(20).fill(3 * counts.length + 5));
    for (let k = rows.length - 1; k > 0; k--) {
      const other = random.integer(k + 1);
      [rows[k], rows[other]] = [rows[other]!, rows[k]!];
    }
    const values = random.gradients(rows.length * rowLength);
    const rowCount = 3 * counts.length;
    const got = await sumOnGpu(device, track, rows, values, rowLength, rowCount);
    const want = sumRows(float32, { indices: rows, values }, rowLength, rowCount);
    expect(got.size).toBe(counts.length);
    // GPUs sort in another shape, which changes no sum.
    if (isOnGpus) {
      expect(
        await sumOnGpu(await requestClaimedGpu(track), track, rows, values, rowLength, rowCount),
      ).toEqual(got);
    }
    want.elements.forEach((element, k) => {
      const sum = got.get(Math.floor(element / rowLength))![element % rowLength]!;
      if (isSwiftShader(device)) expect(sum).toBe(want.values[k]);
      // Of the magnitudes' sum, each of at most 3·32 additions on the longest way may lose an ULP.
      else {
        const magnitudes = values.map(Math.abs);
        const bound = sumRows(float32, { indices: rows, values: magnitudes }, rowLength, rowCount).values[k]!;
        expect(Math.abs(sum - want.values[k]!)).toBeLessThanOrEqual(bound * 2 * 96 * 2 ** -24);
      }
    });
  });
}
