/** The records of a fleet within a process: what stands, and what is forgotten. */
import { expect, test } from 'vitest';
import { memoryTransport } from '../../src/fleet/memory-transport.js';

const NOBODY = { changed: () => undefined, lost: () => undefined };
const settings = { normFactor: 10 };
const bytes = new Uint8Array(3);

test('the first close of a round stands, and the snapshot of the highest round, of equal ones the first', async () => {
  const seat = await memoryTransport().join('a', NOBODY);
  const close = { round: 0, closedBy: 'a', taken: [], refused: [] };
  expect(await seat.close(close)).toBe(close);
  expect(await seat.close({ ...close, closedBy: 'b' })).toBe(close);
  const first = await seat.putSnapshot({ round: 2, keepFrom: 0, taken: {}, settings }, bytes);
  expect(await seat.putSnapshot({ round: 2, keepFrom: 0, taken: {}, settings }, bytes)).toBe(first);
  expect(await seat.putSnapshot({ round: 1, keepFrom: 0, taken: {}, settings }, bytes)).toBe(first);
  expect(seat.snapshot()).toBe(first);
  const next = await seat.putSnapshot({ round: 3, keepFrom: 0, taken: {}, settings }, bytes);
  expect(seat.snapshot()).toBe(next);
  expect(await seat.fetch(first.id)).toBeUndefined();
  expect(await seat.fetch(next.id)).toEqual(bytes);
});

test('rounds before keepFrom are forgotten, with their bytes', async () => {
  const seat = await memoryTransport().join('a', NOBODY);
  const ids: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    ids.push((await seat.post(round, bytes)).id);
    await seat.close({ round, closedBy: 'a', taken: [], refused: [] });
  }
  await seat.putSnapshot({ round: 4, keepFrom: 2, taken: {}, settings }, bytes);
  const kept = await Promise.all(ids.map(async (id) => (await seat.fetch(id)) !== undefined));
  expect(kept).toEqual([false, false, true, true]);
  expect(ids.map((_, round) => seat.closed(round) !== undefined)).toEqual(kept);
  expect(ids.map((_, round) => seat.posted(round).length)).toEqual([0, 0, 1, 1]);
});
