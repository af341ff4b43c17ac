/** What moves rows, by itself: long rows, and pieces that are cut anywhere. */
import { expect, inject } from 'vitest';
import { Random } from '../../proof/random.js';
import { RowMapper } from '../../src/stages/rows/map-rows.js';
import { gpuTest } from '../support/device.js';
import { FRESH } from '../support/life-pair.js';
import { makeBuffer, readFloats } from '../support/tensors.js';

/** Rows of a tensor where a map says; fresh ones are of what is given. */
function mapped(
  values: Float32Array,
  rowLength: number,
  map: Uint32Array,
  fresh: Float32Array,
): Float32Array {
  const rows = Array.from(map, (row, k) => {
    const [from, first] = row === FRESH ? [fresh, k] : [values, row];
    return from.subarray(first * rowLength, (first + 1) * rowLength);
  });
  const result = new Float32Array(map.length * rowLength);
  rows.forEach((row, k) => result.set(row, k * rowLength));
  return result;
}

gpuTest('long rows move some columns at a time', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const rowCount = 150;
  // Rows of whole lanes, and such that are none; the last columns are fewer. Short ones are put back by a copy.
  for (const rowLength of [20, 19, 40, 5]) {
    const before = random.weights(rowLength * (rowCount + 1));
    const map = Uint32Array.from({ length: rowCount }, () =>
      random.uniform() < 0.1 ? FRESH : random.integer(rowCount + 1),
    );
    const entries = map.slice();
    // Fresh ones, too, and counted once.
    entries[7] = rowCount + 1;
    map[7] = FRESH;
    const upload = (words: Uint32Array<ArrayBuffer>) =>
      makeBuffer(device, track, new Float32Array(words.buffer));
    const strays = upload(new Uint32Array(1));
    for (const fresh of [undefined, 0.5]) {
      const buffer = makeBuffer(device, track, before);
      const pieces = (elementCount: number) => [{ buffer, byteOffset: 0, elementCount }];
      const to = {
        entries: { ...pieces(rowCount)[0]!, buffer: upload(entries) },
        rowsBefore: rowCount + 1,
        rowCount,
      };
      const mapper = track(new RowMapper(device, to, rowLength, strays, {}, 'test', 1));
      const encoder = device.createCommandEncoder({ label: 'test' });
      const [source, target] = [pieces(before.length), pieces(rowCount * rowLength)];
      mapper.encodeInPlace(encoder, { rowLength, source, target, fresh, countsStrays: fresh === undefined });
      device.queue.submit([encoder.finish()]);
      const filled = fresh === undefined ? before : new Float32Array(before.length).fill(fresh);
      const after = mapped(before, rowLength, map, filled);
      const held = await readFloats(device, buffer);
      expect(held.subarray(0, after.length), `rows of ${rowLength}, fresh ${fresh}`).toEqual(after);
      expect(held.subarray(after.length)).toEqual(before.subarray(after.length));
    }
    expect(new Uint32Array((await readFloats(device, strays)).buffer)[0]).toBe(1);
  }
});

gpuTest('pieces that are cut in the midst of rows, on both sides', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const rowsBefore = 5;
  for (let turn = 0; turn < 6; turn += 1) {
    const rowLength = turn % 3 === 2 ? 20 : 3;
    const rowCount = 1 + random.integer(2 * rowsBefore);
    /** Values in buffers of their own, cut anywhere, now and then between rows. */
    const cut = (values: Float32Array) => {
      const pieces: { buffer: GPUBuffer; byteOffset: number; elementCount: number }[] = [];
      for (let done = 0; done < values.length;) {
        const most = random.integer(2) * rowLength + 1 + random.integer(2 * rowLength);
        const elementCount = Math.min(random.uniform() < 0.3 ? rowLength : most, values.length - done);
        const buffer = makeBuffer(device, track, values.subarray(done, done + elementCount));
        pieces.push({ buffer, byteOffset: 0, elementCount });
        done += elementCount;
      }
      return pieces;
    };
    const before = random.weights(rowsBefore * rowLength);
    const map = Uint32Array.from({ length: rowCount }, () =>
      random.uniform() < 0.2 ? FRESH : random.integer(rowsBefore),
    );
    const entries = map.map((row) =>
      row === FRESH && random.uniform() < 0.5 ? rowsBefore + random.integer(3) : row,
    );
    const strayCount = entries.filter((row) => row >= rowsBefore && row !== FRESH).length;
    const upload = (words: Uint32Array<ArrayBuffer>) =>
      makeBuffer(device, track, new Float32Array(words.buffer));
    const strays = upload(new Uint32Array(1));
    const to = {
      entries: { buffer: upload(entries), byteOffset: 0, elementCount: rowCount },
      rowsBefore,
      rowCount,
    };
    const mapper = track(new RowMapper(device, to, rowLength, strays, {}, 'test', 1));
    const encoder = device.createCommandEncoder({ label: 'test' });
    const isInPlace = turn % 2 === 1;
    const there = isInPlace ? new Float32Array(rowCount * rowLength) : random.weights(rowCount * rowLength);
    there.set(isInPlace ? before.subarray(0, there.length) : []);
    const target = isInPlace ? cut(before.length > there.length ? before : there) : cut(there);
    const source = isInPlace ? target : cut(before);
    const fresh = turn % 4 > 1 ? 0.25 : undefined;
    const first = (pieces: typeof target, count: number) => {
      let left = count;
      return pieces.flatMap((piece) => {
        const elementCount = Math.min(left, piece.elementCount);
        left -= elementCount;
        return elementCount > 0 ? [{ ...piece, elementCount }] : [];
      });
    };
    const move = {
      rowLength,
      source: first(source, before.length),
      target: first(target, there.length),
      fresh,
      countsStrays: true,
    };
    if (isInPlace) mapper.encodeInPlace(encoder, move);
    else mapper.encode(encoder, move);
    device.queue.submit([encoder.finish()]);
    const got = await Promise.all(target.map(({ buffer }) => readFloats(device, buffer)));
    const filled = fresh === undefined ? there : new Float32Array(there.length).fill(fresh);
    const after = mapped(before, rowLength, map, filled);
    expect(got.flatMap((values) => [...values]).slice(0, after.length), `turn ${turn}`).toEqual([...after]);
    expect(new Uint32Array((await readFloats(device, strays)).buffer)[0], `turn ${turn}`).toBe(strayCount);
  }
});
