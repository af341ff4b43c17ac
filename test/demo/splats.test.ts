import { afterAll, beforeAll, expect, test } from 'vitest';
import { planFor } from '../../demo/splats/settings.js';
import { Visitor } from '../support/site-visit.js';

/** A picture of 13,000 pixels, and six densifications in few steps. */
const SMALL = { width: 128, count: 1000, steps: 150, every: 10 } as const;
const SEARCH = `?${new URLSearchParams(Object.entries({ ...SMALL, seed: 3 }).map(([key, value]) => [key, String(value)]))}`;
let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

const number = async (selector: string): Promise<number> =>
  Number.parseFloat((await visitor.text(selector)).replaceAll(',', ''));

/** Counts bytes that the page maps of the GPU, by the label of what they are read through. */
function countReadings(): void {
  const counts: Record<string, number> = {};
  Object.assign(globalThis, { readings: counts });
  const { mapAsync } = GPUBuffer.prototype as { mapAsync: (...args: unknown[]) => Promise<undefined> };
  GPUBuffer.prototype.mapAsync = function (this: GPUBuffer, mode, offset = 0, size = this.size - offset) {
    counts[this.label] = (counts[this.label] ?? 0) + size;
    return mapAsync.call(this, mode, offset, size);
  };
}
declare const readings: Readonly<Record<string, number>>;

test('the state that is kept helps, and all stays on the GPU', async () => {
  const { page } = visitor;
  await page.evaluateOnNewDocument(countReadings);
  await visitor.open('splats/', 'wide', SEARCH);
  await page.waitForSelector('#start:not([disabled])');
  await page.click('#start');
  await page.waitForFunction(() => document.querySelector('#status')?.textContent?.startsWith('Done'), {
    timeout: 110_000,
  });
  const { densifications } = planFor(SMALL);
  const rows = await page.$$eval('#table tbody tr', (all) =>
    all.map((row) => [...row.cells].map((cell) => Number.parseFloat(cell.textContent.replaceAll(',', '')))),
  );
  console.log(JSON.stringify(rows), await visitor.text('#cost'), await page.evaluate(() => readings));
  expect(rows.map((row) => row.slice(0, 5))).toEqual(
    densifications.map(({ step, before, pruned, split, after }) => [step, before, pruned, split, after]),
  );
  expect(await number('#count')).toBe(SMALL.count);
  await visitor.screenshot('splats-done');
  expect(visitor.complaints).toEqual([]);
});
