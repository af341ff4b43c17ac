import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Results } from '../../lab/measuring/rows.js';
import { Visitor, browserKind } from '../support/site-visit.js';

const QUERY = '?rule=adam&size=1e4&rounds=3&seed=7';
let visitor: Visitor;

beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

async function measured(query: string): Promise<void> {
  const page = await visitor.open('throughput/', 'wide', `${query}&start`);
  await page.waitForFunction(() => document.querySelector('#result:not([hidden])'));
}

test('all peers are measured, and the card says what the table says', async () => {
  const page = await visitor.open('throughput/', 'wide', QUERY);
  await page.evaluate(() => {
    Object.assign(globalThis, { copied: [] });
    navigator.clipboard.writeText = async (text) => {
      (globalThis as unknown as { copied: string[] }).copied.push(text);
    };
  });
  await page.click('#start');
  await page.waitForFunction(() => document.querySelector('#result:not([hidden])'));
  expect(await visitor.text('#status')).toBe('Done.');

  await page.click('#copy-text');
  await page.click('#copy-json');
  const [text, json] = await page.evaluate(() => (globalThis as unknown as { copied: string[] }).copied);
  const results = JSON.parse(json!) as Results;
  expect(results.rows.map(({ peer }) => peer).toSorted()).toEqual([
    'copy',
    'cpu',
    'limit',
    'naive',
    'ours',
    'tfjs',
  ]);
  for (const row of results.rows) {
    expect(row).toMatchObject({ rule: 'adam', case: '1e4' });
    expect(row.minMs).toBeGreaterThan(0);
    expect(row.medianMs).toBeGreaterThanOrEqual(row.minMs);
    // Both are rounded to four digits or to a whole number.
    expect((row.elementsPerSecond * row.medianMs) / 1e7).toBeCloseTo(1, 2);
    // Adam reads four arrays of f32 and writes three.
    expect((row.gbPerSecond * row.medianMs * 1e6) / (7 * 4 * 1e4)).toBeCloseTo(1, 2);
  }
  const ours = results.rows.find(({ peer }) => peer === 'ours')!;
  expect(ours).toMatchObject({ dispatches: 1, submits: 1, newObjects: 0 });
  expect(results.rows.find(({ peer }) => peer === 'limit')!.fractionOfLimit).toBe(1);

  expect(text).toContain(results.adapter);
  for (const title of ['webgpu-optim', 'the limit', 'TensorFlow.js', 'CPU']) expect(text).toContain(title);
  expect(await visitor.text('#card')).toBe(text);
  expect(await page.$$eval('#table tbody tr', (found) => found.length)).toBe(6);
  expect(await visitor.text('#step-time')).toBe(ours.medianMs.toPrecision(3));
  const shares = await page.$$eval('.bars > div', (bars) =>
    bars.map((bar) => Number(bar.style.getPropertyValue('--share'))),
  );
  expect(Math.max(...shares)).toBe(1);
  expect(Math.min(...shares)).toBeGreaterThan(0);
  await visitor.screenshot('throughput');
  expect(visitor.complaints).toEqual([]);
});

// Of ten times as many measurements most is waiting for Firefox's ticks.
if (browserKind === 'chrome') {
  test('a rule that only we have is measured against the limit', async () => {
    await measured('?rule=lion&size=1e4&rounds=3&peers=tfjs,cpu');
    expect(await visitor.page.$$eval('.bars [data-peer]', (bars) => bars.length)).toBe(2);
    expect(visitor.complaints).toEqual([]);
  });

  test('state and weights of fewer bits are measured beside float32; who keeps no such state has no bar', async () => {
    const halves = 'ours-bf16,ours-bf16-state,ours-int8-state,ours-int4-state';
    const bars = () =>
      visitor.page.$$eval('.bars [data-peer]', (found) => found.map((bar) => bar.getAttribute('data-peer')));
    const peersWith = (...names: string[]) => new Set(['limit', 'ours', ...names]);
    await measured(`?rule=adam&size=1e4&rounds=3&peers=${halves}`);
    expect(new Set(await bars())).toEqual(peersWith(...halves.split(',')));
    await measured(`?rule=sgd&size=1e4&rounds=3&peers=${halves}`);
    expect(new Set(await bars())).toEqual(peersWith('ours-bf16'));
    expect(visitor.complaints).toEqual([]);
  });

  test('all rules are measured one after the other, until that is stopped', async () => {
    const page = await visitor.open('throughput/', 'wide', '?rule=all&size=1e4&rounds=3&peers=copy&start');
    await page.waitForFunction(() => document.querySelector('#status')?.textContent?.startsWith('adagrad'));
    await page.click('#stop');
    await page.waitForFunction(() => document.querySelector('#status')?.textContent === 'Stopped.');
    const rows = await page.$$eval('#table tbody tr', (found) =>
      found.map((row) => [row.cells[0]!.textContent, row.cells[1]!.textContent]),
    );
    const three = (rule: string) => [1, 2, 3].map(() => [rule, '1e4']);
    expect(rows.slice(0, 6)).toEqual([...three('sgd'), ...three('momentum')]);
    // What is there of others' results.
    const lines = await page.$$eval('#recorded-table tbody tr', (found) =>
      found.map((row) => row.textContent),
    );
    expect(lines.find((line) => line.includes('adam'))).toMatch(/swiftshader/);
    expect(visitor.complaints).toEqual([]);
  });

  test('a measurement of all sizes can be stopped, and goes on with another', async () => {
    const page = await visitor.open('throughput/', 'wide', '?rule=sgd&rounds=3&peers=&start');
    await page.waitForFunction(() => document.querySelector('#chart-panel:not([hidden])'));
    await page.click('#stop');
    await page.waitForFunction(() => document.querySelector('#status')?.textContent === 'Stopped.');
    const sizes = await page.$$eval('#table tbody tr td:nth-child(2)', (cells) =>
      cells.map((cell) => cell.textContent),
    );
    expect(sizes.slice(0, 4)).toEqual(['1e4', '1e4', '1e5', '1e5']);
    await page.select('#size', '10000');
    await page.click('#start');
    await page.waitForFunction(() => document.querySelector('#status')?.textContent === 'Done.');
    expect(await page.$$eval('#table tbody tr', (found) => found.length)).toBe(2);
    expect(visitor.complaints).toEqual([]);
  });
}
