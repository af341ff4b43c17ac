import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type GpuTrouble, installGpuTrouble } from '../support/gpu-trouble.js';
import { Random } from '../../proof/random.js';
import { Visitor } from '../support/site-visit.js';

/** A page that computes, at its smallest. */
interface Subject {
  readonly path: string;
  readonly search: string;
  /** Whether it starts as soon as it is opened. */
  readonly startsItself?: boolean;
  /** What starts a run when none is on. */
  readonly start: string;
  /** All buttons of a run. */
  readonly buttons: readonly string[];
  /** An expression that is true while the GPU is at work, and one that is true when a run has come as far as it is to. */
  readonly isRunning: string;
  readonly isDone: string;
  /** An expression for the numbers of a run, which are the same for the same seed. */
  readonly numbers: string;
  /** How often it is begun anew to see whether anything is left over; few where a run takes long. */
  readonly restarts: number;
  /** Whether numbers are what they should be. */
  readonly check: (numbers: string) => void;
}

const status = (pattern: string): string =>
  `/${pattern}/u.test(document.querySelector('#status').textContent)`;
const text = (selector: string): string =>
  `[...document.querySelectorAll('${selector}')].map((found) => found.textContent.trim()).join(' ')`;

const race: Subject = {
  path: 'race',
  search: '?particles=16&speed=1&stop=100&start=ring&racer=sgd%3Blr%3D0.002&racer=adam%3Blr%3D0.05',
  startsItself: true,
  start: '#restart',
  buttons: ['#run', '#step', '#restart'],
  isRunning: `${status('^Running')} && parseInt(${text('#step-count')}.slice(5)) > 8`,
  isDone: status('^Done after 100 steps'),
  numbers: text('.standing dd'),
  restarts: 10,
  check: (numbers) => expect(numbers).toMatch(/^\S+ [5-9]\d\.\d % /u),
};

const others: readonly Subject[] = [
  {
    path: 'train',
    search: '?left=adam&right=sgd&steps=2&seed=5',
    start: '#start',
    buttons: ['#start', '#pause', '#reset'],
    isRunning: `document.querySelector('#controls').dataset.state === 'running'`,
    // What comes after it, the held-out digits, takes a software adapter longer than all else.
    isDone: `${text('#steps-done')} === '2 of 2'`,
    numbers: text('#left-loss, #right-loss'),
    restarts: 0,
    check: (numbers) => expect(numbers).toMatch(/^\d\.\d{4} \d\.\d{4}$/u),
  },
  {
    path: 'large',
    search: '?width=128&table=12&network=light&batch=1024&seed=3',
    start: '#start',
    buttons: ['#start', '#pause', '#reset'],
    isRunning: `parseInt(${text('#steps')}) > 0`,
    isDone: `Number(document.querySelector('#picture').dataset.paintedStep) >= 40`,
    numbers: text('#parameters'),
    restarts: 4,
    check: (numbers) => expect(numbers).toMatch(/^\d\d,\d{3}$/u),
  },
  {
    path: 'splats',
    search: '?width=128&count=1000&steps=60&every=10&seed=3',
    start: '#start',
    buttons: ['#start', '#pause', '#reset'],
    isRunning: `parseInt(${text('#steps')}) > 0`,
    isDone: status('^Done after 60 steps'),
    numbers: text('#kept-psnr, #dropped-psnr'),
    restarts: 4,
    check: (numbers) => expect(numbers).toMatch(/^\d\d\.\d\d dB \d\d\.\d\d dB$/u),
  },
  {
    path: 'throughput',
    search: '?rule=adam&size=1e4&rounds=9&peers=tfjs',
    start: '#start',
    buttons: ['#start', '#stop'],
    isRunning: status('measuring'),
    isDone: status('^Done.$'),
    numbers: text('#table tbody td:nth-child(3)'),
    restarts: 2,
    check: (numbers) => expect(numbers).toBe('webgpu-optim the limit of this GPU TensorFlow.js'),
  },
  {
    path: 'prove',
    search: '?rule=momentum&seed=1',
    start: '#start',
    buttons: ['#start', '#stop'],
    isRunning: status('^momentum'),
    isDone: status('^Done: all'),
    numbers: text('#passed, #failed, #same-bits, #of-bound'),
    restarts: 1,
    check: (numbers) => expect(numbers).toMatch(/^[1-9]\d* 0 \d+ \d+ %$/u),
  },
];

/**
 * Race, which draws, and one of the others, another for each seed: each takes a quarter of a minute, but for Train, which takes two minutes
 * on SwiftShader, and has its turn in every twelfth run of everything.
 */
const seed = inject('seed');
const inTurn = inject('takesTurns') && (seed >>> 8) % 12 !== 0 ? others.slice(1) : others;
const subjects = [race, inTurn[seed % inTurn.length]!];

declare const gpuTrouble: GpuTrouble;

let visitor: Visitor;
beforeAll(async () => {
  // It ends the browser's GPU process.
  visitor = await Visitor.arrive({ ownBrowser: true });
  await visitor.page.evaluateOnNewDocument(installGpuTrouble);
});
afterAll(() => visitor.leave());

let earlier = 0;
beforeEach(() => {
  earlier = visitor.complaints.length;
});
const newComplaints = (): readonly string[] => visitor.complaints.slice(earlier);

const until = async (expression: string): Promise<unknown> =>
  await visitor.page.waitForFunction(expression, { polling: 20 });
const problem = async (): Promise<string> => {
  await visitor.page.waitForSelector('#problem:not([hidden])');
  return await visitor.text('#problem');
};

/** Presses a button as soon as it can be. */
async function press(selector: string): Promise<void> {
  await visitor.page.waitForSelector(`${selector}:not(:disabled)`);
  await visitor.page.$eval(selector, (button) => (button as HTMLButtonElement).click());
}

/** Opens a page and has it run. */
async function run({ path, search, startsItself, start, isRunning }: Subject): Promise<void> {
  await visitor.open(`${path}/`, 'phone', search);
  if (!startsItself) await press(start);
  await until(isRunning);
}

/** The numbers of a run that has come to its end, which nothing has disturbed. */
async function numbersAtEnd({ isDone, numbers, check }: Subject): Promise<string> {
  await until(isDone);
  const found = (await visitor.page.evaluate(numbers)) as string;
  check(found);
  expect(await visitor.page.$('#problem:not([hidden])')).toBeNull();
  return found;
}

/** Presses what ends a run, if one is on. */
async function end({ start, buttons }: Subject): Promise<void> {
  const stop = buttons.find((button) => ['#reset', '#stop'].includes(button));
  if (stop === undefined) return;
  await until(`(() => {
    const [start, stop] = ['${start}', '${stop}'].map((selector) => document.querySelector(selector));
    if (start.disabled) stop.click();
    return !start.disabled;
  })()`);
}

/** Readings without a submit in between after which nothing is under way any more. */
const QUIET_READINGS = 5;

/** Has the tab be hidden, as it is behind another, until the GPU has nothing more to do; then for a while more. */
async function hide({ isDone }: Subject): Promise<void> {
  const other = await visitor.page.browser().newPage();
  await other.bringToFront();
  expect(await visitor.page.evaluate(() => document.visibilityState)).toBe('hidden');
  const submitsAfter = async (ms: number): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return await visitor.page.evaluate(() => gpuTrouble.submits);
  };
  try {
    // What is under way may be compiling for a while.
    let before = await submitsAfter(0);
    for (let quiet = 0; quiet < QUIET_READINGS; quiet += 1) {
      const now = await submitsAfter(300);
      if (now !== before) quiet = -1;
      before = now;
    }
    expect(await submitsAfter(300)).toBe(before);
    expect(await visitor.page.evaluate(isDone)).toBe(false);
  } finally {
    await visitor.page.bringToFront();
    await other.close();
  }
}

const liveBuffers = (): Promise<number> => visitor.page.evaluate(() => gpuTrouble.liveBuffers());

describe.each(subjects)('$path', (subject) => {
  const { path, search, start, startsItself, buttons, restarts } = subject;
  let undisturbed: string;
  let kept: number;

  test('out of memory, then lost in mid-run: both are said, with what to do, and the next run is well', async () => {
    await visitor.open(`${path}/`, 'phone', search);
    if (startsItself) await until(subject.isRunning);
    await visitor.page.waitForSelector(`${start}:not(:disabled)`);
    await visitor.page.evaluate(() => (gpuTrouble.largestBuffer = 64));
    await press(start);
    expect(await problem()).toMatch(/memory.*(?:Choose|close)/u);
    expect(newComplaints().filter((each) => !each.includes('nvalid'))).toEqual([]);
    earlier = visitor.complaints.length;

    await visitor.page.evaluate(() => (gpuTrouble.largestBuffer = Infinity));
    await press(start);
    const devices = await visitor.page.evaluate(() => gpuTrouble.devices);
    // In one call into the page: the run must not end between the two.
    await until(`(${subject.isRunning}) && (gpuTrouble.loseDevices(), true)`);
    expect(await problem()).toMatch(/^The GPU went away.*Start again/u);

    await press(start);
    undisturbed = await numbersAtEnd(subject);
    kept = await liveBuffers();
    expect(await visitor.page.evaluate(() => gpuTrouble.devices)).toBeGreaterThan(devices);
    expect(newComplaints()).toEqual([]);
  });

  test('buttons in any order, then hidden: the GPU rests, no buffer is left over, the numbers are the same', async () => {
    const random = new Random(inject('seed'));
    await visitor.open(`${path}/`, 'phone', search);
    await visitor.page.waitForSelector(`${start}:not(:disabled)`);
    const presses = Array.from({ length: 16 }, () => ({
      selector: random.pick(buttons),
      ms: random.integer(60),
    }));
    await visitor.page.evaluate(async (all) => {
      for (const { selector, ms } of all) {
        document.querySelector<HTMLButtonElement>(selector)!.click();
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    }, presses);
    for (let k = 0; k < restarts; k++) {
      await end(subject);
      await press(start);
      await until(subject.isRunning);
    }
    await end(subject);
    await press(start);
    await until(subject.isRunning);
    await hide(subject);
    expect(await numbersAtEnd(subject)).toBe(undisturbed);
    expect(await liveBuffers()).toBe(kept);
    expect(newComplaints()).toEqual([]);
  });

  test('no adapter: it says what to do, and nothing can be started', async () => {
    const { identifier } = await visitor.page.evaluateOnNewDocument(() => {
      gpuTrouble.hasAdapter = false;
    });
    await visitor.open(`${path}/`, 'phone', search);
    expect(await problem()).toContain('This browser found no GPU for WebGPU');
    expect(await visitor.page.$('#recorded:not([hidden]) img')).not.toBeNull();
    const canStart = await visitor.page.$eval(
      start,
      (button) => button.checkVisibility() && !button.matches(':disabled'),
    );
    expect(canStart).toBe(false);
    await visitor.page.removeScriptToEvaluateOnNewDocument(identifier);
    expect(newComplaints()).toEqual([]);
  });
});

test("the browser's GPU process ends in mid-run: it is said, and the next run has another", async () => {
  await run(race);
  const browser = await visitor.page.browser().target().createCDPSession();
  await browser.send('Browser.crashGpuProcess');
  expect(await problem()).toMatch(/^The GPU went away/u);
  await press(race.start);
  await numbersAtEnd(race);
});
