import { afterAll, beforeAll, expect, test } from 'vitest';
import { Visitor } from '../support/site-visit.js';

/** A picture of 13,000 pixels and a grid that a software adapter steps in milliseconds. */
const SMALL = '?width=128&table=12&network=light&batch=1024&seed=3';
let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

const number = async (selector: string): Promise<number> =>
  Number.parseFloat((await visitor.text(selector)).replaceAll(',', ''));

async function open(search: string): Promise<void> {
  const page = await visitor.open('large/', 'wide', search);
  await page.waitForSelector('#start:not([disabled])');
}

test('the picture sharpens: PSNR, parameters, bytes and times are told', async () => {
  await open(SMALL);
  const { page } = visitor;
  await page.click('#start');
  await page.waitForSelector('#picture[data-painted-step="0"]');
  const first = await number('#psnr');
  await page.waitForFunction(() => Number(document.querySelector('canvas')?.dataset['paintedStep']) >= 60);
  await page.click('#pause');
  // The sweep of demo/large/rule-presets.ts has 25 dB after 50 steps; before the first it is the picture's own contrast.
  expect(first).toBeLessThan(15);
  expect(await number('#psnr')).toBeGreaterThan(20);
  // Of 8 levels from 16 to 128 cells, each with at most 4096 entries of two numbers; and of three layers.
  expect(await visitor.text('#size-note')).toMatch(/^\d\d,\d{3} parameters: /u);
  expect(await number('#parameters')).toBe(await number('#size-note'));
  expect(await number('#steps')).toBeGreaterThanOrEqual(60);
  expect(await number('#step-time')).toBeGreaterThan(0);
  expect(new URL(page.url()).searchParams.get('seed')).toBe('3');
  await visitor.screenshot('large-running');
  await page.click('#reset');
  expect(await visitor.text('#psnr')).toBe('–');
  expect(visitor.complaints).toEqual([]);
});

test('tables of 2 bytes and state of bf16 take half the bytes, and learn as well', async () => {
  const weightsIn = (note: string) =>
    /: ([\d.]+) MB of weights, .* ([\d.]+) MB of state/u.exec(note)!.slice(1).map(Number);
  await open(SMALL.replace('table=12', 'table=14'));
  const [weights, state] = weightsIn(await visitor.text('#size-note')) as [number, number];
  for (const dtype of ['f16', 'bf16']) {
    await open(`${SMALL.replace('table=12', 'table=14')}&weights=${dtype}&state=bf16`);
    const { page } = visitor;
    const [less, lessState] = weightsIn(await visitor.text('#size-note')) as [number, number];
    // Of MB of one digit behind the point; the network stays float32.
    expect(Math.abs(less / weights - 0.5)).toBeLessThan(0.15);
    expect(Math.abs(lessState / state - 0.5)).toBeLessThan(0.15);
    await page.click('#start');
    await page.waitForFunction(() => Number(document.querySelector('canvas')?.dataset['paintedStep']) >= 60);
    await page.click('#pause');
    expect(await number('#psnr')).toBeGreaterThan(20);
    expect(new URL(page.url()).searchParams.get('weights')).toBe(dtype);
    await page.click('#reset');
  }
  expect(visitor.complaints).toEqual([]);
});

test('zoom, divider and error map work from the keyboard', async () => {
  await open(SMALL);
  const { page } = visitor;
  await page.focus('#start');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#picture[data-painted-step="0"]');
  await page.focus('#picture');
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  expect(await visitor.text('#zoom')).toBe('2.3 ×');
  await page.keyboard.press('0');
  expect(await visitor.text('#zoom')).toBe('1.0 ×');
  await page.focus('#errors');
  await page.keyboard.press(' ');
  expect(await visitor.text('#left-name')).toContain('Error');
  await page.focus('#split');
  await page.keyboard.press('Home');
  expect(await page.$eval('#split', (split) => split.ariaValueText)).toBe('0 % network, 100 % photograph');
  await page.click('#reset');
  expect(visitor.complaints).toEqual([]);
});

test('a rate that is too high is said, and the page goes on', async () => {
  await open(`${SMALL}&rule=sgd&lr=1e30`);
  const { page } = visitor;
  await page.click('#start');
  await page.waitForSelector('#problem:not([hidden])');
  expect(await visitor.text('#problem')).toContain('the learning rate is too high');
  expect(await page.$eval('#start', (button) => (button as HTMLButtonElement).disabled)).toBe(false);
});

test('an address that asks for what there is not is one clear error', async () => {
  const page = await visitor.open('large/', 'wide', SMALL.replace('table=12', 'table=99'));
  await page.waitForSelector('#problem:not([hidden])');
  expect(await visitor.text('#problem li')).toMatch(/^\?table=99 is not to be had here; give one of 12, 13/u);
});

test('tables that the device cannot bind are disabled, with the reason', async () => {
  const { page } = visitor;
  const before = visitor.complaints.length;
  await page.evaluateOnNewDocument(() => {
    const mebibytes = 128 * 2 ** 20;
    if (!('GPUSupportedLimits' in globalThis)) return;
    Object.defineProperty(GPUSupportedLimits.prototype, 'maxStorageBufferBindingSize', {
      get: () => mebibytes,
    });
  });
  await open('?width=1024&table=20&network=full&batch=1024');
  const disabled = await page.$$eval('#table option:disabled', (all) => all.map((option) => option.value));
  expect(disabled).toEqual(['23', '24']);
  expect(await visitor.text('#size-note')).toMatch(
    /2²³ entries per level are too many: it takes a buffer of 1\d\d MB; this device binds at most 134 MB\.$/u,
  );
  expect(visitor.complaints.slice(before)).toEqual([]);
});
