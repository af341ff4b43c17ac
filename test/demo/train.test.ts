import { afterAll, beforeAll, expect, test } from 'vitest';
import { Visitor, browserKind } from '../support/site-visit.js';

const SIDES = ['left', 'right'] as const;
let visitor: Visitor;

beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

/** The numbers of a row of the table, left and right. */
async function numbers(row: string): Promise<number[]> {
  const texts = await Promise.all(SIDES.map((side) => visitor.text(`#${side}-${row}`)));
  return texts.map((text) => Number.parseFloat(text));
}

async function untilDone(): Promise<void> {
  await visitor.page.waitForSelector('#controls[data-state=finished]');
  expect(await visitor.text('#status')).toMatch(/^Done/u);
}

test('the same optimizer on both sides gives the same numbers, and gives them again', async () => {
  const page = await visitor.open('train/', 'wide', '?left=adam&right=adam&steps=5&seed=5&start');
  await untilDone();
  const rows = ['loss', 'held-out', 'accuracy'];
  const first = await Promise.all(rows.map(numbers));
  for (const [left, right] of first) expect(left).toBe(right);
  const [, [heldOut], [accuracy]] = first as [number[], [number], [number]];
  // Ten classes: guessing costs ln 10 and is right a tenth of the time.
  expect(heldOut).toBeLessThan(Math.log(10));
  expect(accuracy).toBeGreaterThan(10);
  expect(await visitor.text('#elements')).toBe('203,530 in 4 tensors');
  expect(await visitor.text('#steps-done')).toBe('5 of 5');
  for (const ms of await numbers('time')) expect(ms).toBeGreaterThan(0);
  const marks = await page.$$eval('#digits span', (captions) => captions.map((caption) => caption.className));
  expect(marks).toHaveLength(40);
  expect(marks.every((mark) => mark === 'right' || mark === 'wrong')).toBe(true);
  expect(marks.filter((_, i) => i % 2 === 0)).toEqual(marks.filter((_, i) => i % 2 === 1));

  await page.click('#reset');
  expect(await visitor.text('#left-loss')).toBe('–');
  // The other side, and a name of ours and of tfjs: the left one must not care who runs beside it.
  await page.select('#right', 'tfjs:sgd');
  await page.click('#start');
  await untilDone();
  const second = await Promise.all(rows.map(numbers));
  expect(second.map(([left]) => left)).toEqual(first.map(([left]) => left));
  expect(second[0]![1]).not.toBe(first[0]![1]);
  expect(await visitor.text('#right-name')).toBe('tf.train.sgd');
  expect(new URL(page.url()).searchParams.get('right')).toBe('tfjs:sgd');
  expect(visitor.complaints).toEqual([]);
});

// A step of both takes TensorFlow.js a second and a half on SwiftShader, and a quarter of that on llvmpipe.
if (browserKind === 'firefox') {
  test('a transformer learns more of Moby Dick than how often each letter occurs, and writes', async () => {
    const page = await visitor.open(
      'train/',
      'wide',
      '?task=moby-dick&left=adamw&right=muon&steps=25&size=small&start',
    );
    await page.waitForFunction(() => document.querySelector('#rate')?.textContent !== '–');
    await page.click('#pause');
    const paused = await visitor.text('#steps-done');
    expect(await visitor.text('#status')).toBe('Paused.');
    await page.click('#start');
    await untilDone();
    expect(await visitor.text('#steps-done')).not.toBe(paused);
    expect(await visitor.text('#right-title')).toBe('muon + adamw');
    expect(new URL(page.url()).searchParams.get('rightLr')).toBe('0.03');
    const unigramBits = Number(await visitor.text('#baseline'));
    expect(unigramBits).toBeCloseTo(4.47, 2);
    for (const bits of await numbers('held-out')) expect(bits).toBeLessThan(unigramBits);
    for (const side of SIDES) {
      // Text of the page is trimmed, and a sample may begin or end with spaces.
      expect((await visitor.text(`#${side}-sample`)).length).toBeGreaterThan(40);
    }
    expect(await visitor.text('#elements')).toMatch(/ in 20 tensors$/u);
    await visitor.screenshot('train-moby-dick');
    expect(visitor.complaints).toEqual([]);
  });
}
