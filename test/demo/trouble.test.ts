import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { type GpuTrouble, installGpuTrouble } from '../support/gpu-trouble.js';
import { Random } from '../support/random.js';
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
  /** Whether numbers are what they should be. */
  readonly check: (numbers: string) => void;
}

const status = (pattern: string): string =>
  `/${pattern}/u.test(document.querySelector('#status').textContent)`;
const text = (selector: string): string =>
  `[...document.querySelectorAll('${selector}')].map((found) => found.textContent.trim()).join(' ')`;

const subjects: readonly Subject[] = [
  {
    path: 'race',
    search: '?particles=16&speed=4&stop=100&start=ring&racer=sgd%3Blr%3D0.002&racer=adam%3Blr%3D0.05',
    startsItself: true,
    start: '#restart',
    buttons: ['#run', '#step', '#restart'],
    isRunning: `${status('^Running')} && parseInt(${text('#step-count')}.slice(5)) > 8`,
    isDone: status('^Done after 100 steps'),
    numbers: text('.standing dd'),
    check: (numbers) => expect(numbers).toMatch(/^\S+ [5-9]\d\.\d % /u),
  },
  {
    path: 'train',
    search: '?left=adam&right=sgd&steps=10&seed=5',
    start: '#start',
    buttons: ['#start', '#pause', '#reset'],
    isRunning: `document.querySelector('#controls').dataset.state === 'running'`,
    isDone: status('^Done: 10 steps'),
    numbers: text(
      '#left-loss, #right-loss, #left-held-out, #right-held-out, #left-accuracy, #right-accuracy',
    ),
    check: (numbers) => expect(Number(numbers.split(' ')[2])).toBeLessThan(Math.log(10)),
  },
  {
    path: 'large',
    search: '?width=128&table=12&network=light&batch=1024&seed=3',
    start: '#start',
    buttons: ['#start', '#pause', '#reset'],
    isRunning: `parseInt(${text('#steps')}) > 0`,
    isDone: `Number(document.querySelector('#picture').dataset.paintedStep) >= 40`,
    numbers: text('#parameters'),
    check: (numbers) => expect(numbers).toMatch(/^\d\d,\d{3}$/u),
  },
  {
    path: 'throughput',
    search: '?rule=adam&size=1e4&rounds=3&peers=tfjs',
    start: '#start',
    buttons: ['#start', '#stop'],
    isRunning: status('measuring'),
    isDone: status('^Done.$'),
    numbers: text('#table tbody td:nth-child(2)'),
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
    check: (numbers) => expect(numbers).toMatch(/^[1-9]\d* 0 \d+ \d+ %$/u),
  },
];

declare const gpuTrouble: GpuTrouble;

let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
  await visitor.page.evaluateOnNewDocument(installGpuTrouble);
});
afterAll(() => visitor.leave());

let earlier = 0;
beforeEach(() => {
  earlier = visitor.complaints.length;
});
const newComplaints = (): readonly string[] => visitor.complaints.slice(earlier);

const until = async (expression: string): Promise<unknown> =>
  await visitor.page.waitForFunction(expression, { timeout: 60_000, polling: 20 });
const problem = async (): Promise<string> => {
  await visitor.page.waitForSelector('#problem:not([hidden])', { timeout: 60_000 });
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

describe.each(subjects)('$path', (subject) => {
  const { path, search, start, startsItself, buttons } = subject;
  let undisturbed: string;

  test('the GPU is lost in mid-run: it is said, and the next run has another', async () => {
    await run(subject);
    const before = await visitor.page.evaluate(() => gpuTrouble.devices);
    await visitor.page.evaluate(() => gpuTrouble.loseDevices());
    expect(await problem()).toMatch(/^The GPU went away.*Start again/u);
    await press(start);
    undisturbed = await numbersAtEnd(subject);
    expect(await visitor.page.evaluate(() => gpuTrouble.devices)).toBeGreaterThan(before);
    expect(newComplaints()).toEqual([]);
  });

  test('the GPU is out of memory: it is said, with what to do, and a run that fits goes on', async () => {
    await visitor.open(`${path}/`, 'phone', search);
    if (startsItself) await until(subject.isRunning);
    await visitor.page.waitForSelector(`${start}:not(:disabled)`);
    await visitor.page.evaluate(() => (gpuTrouble.largestBuffer = 64));
    await press(start);
    expect(await problem()).toMatch(/memory|hold/u);
    expect(await problem()).toMatch(/[Cc]hoose|[Uu]se|[Cc]lose/u);
    await visitor.page.evaluate(() => (gpuTrouble.largestBuffer = Infinity));
    await press(start);
    expect(await numbersAtEnd(subject)).toBe(undisturbed);
    expect(newComplaints().filter((each) => !each.startsWith('console warn'))).toEqual([]);
  });

  test('hidden in mid-run, it leaves the GPU alone, and comes to the same numbers', async () => {
    await run(subject);
    const other = await visitor.page.browser().newPage();
    await other.bringToFront();
    const submits = (): Promise<number> => visitor.page.evaluate(() => gpuTrouble.submits);
    expect(await visitor.page.evaluate(() => document.visibilityState)).toBe('hidden');
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    let last = -1;
    for (let now = await submits(); now !== last; now = await submits()) {
      last = now;
      await pause(500);
    }
    await pause(500);
    expect(await submits()).toBe(last);
    await visitor.page.bringToFront();
    await other.close();
    expect(await numbersAtEnd(subject)).toBe(undisturbed);
    expect(newComplaints()).toEqual([]);
  });

  test('no adapter: it says what to do, and nothing can be started', async () => {
    const { identifier } = await visitor.page.evaluateOnNewDocument(() => {
      gpuTrouble.hasAdapter = false;
    });
    await visitor.open(`${path}/`, 'phone', search);
    expect(await problem()).toContain('This browser found no GPU for WebGPU');
    expect(await visitor.page.$('#recorded:not([hidden]) img')).not.toBeNull();
    expect(
      await visitor.page.$eval(start, (button) => button.checkVisibility() && !button.matches(':disabled')),
    ).toBe(false);
    await visitor.page.removeScriptToEvaluateOnNewDocument(identifier);
    expect(newComplaints()).toEqual([]);
  });

  test('buttons in any order: no hang, and the same numbers at the end', async () => {
    const random = new Random(inject('seed'));
    await visitor.open(`${path}/`, 'phone', search);
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
    for (const end of ['#reset', '#stop']) {
      if (buttons.includes(end) && (await visitor.page.$(`${start}:disabled`))) await press(end);
    }
    await press(start);
    expect(await numbersAtEnd(subject)).toBe(undisturbed);
    expect(newComplaints()).toEqual([]);
  });
});
