import '../large.css';
import { element, setText } from '../../site/elements.js';
import { fileUrl } from '../../../lab/tasks/file-url.js';
import { LineChart } from '../../site/line-chart.js';
import { hideProblem, showProblem } from '../../site/problem.js';
import { whenVisible } from '../../site/visibility.js';
import { type DemoDevice, openDevice } from '../../site/webgpu.js';
import { type ModelPlan, bytesOf, megabytes, millions } from '../model/plan.js';
import type { StepParts } from '../model/step-timer.js';
import { PHOTO_FILE } from '../../shared/photo-file.js';
import { fetchPhoto } from '../../shared/photo.js';
import { type Settings, ruleFor, sizes } from '../settings.js';
import { suitableSize } from '../warm-up.js';
import { Controls, type RunState } from './controls.js';
import { PageRun, type RunListener } from './run.js';
import { ViewControls } from './view-controls.js';

const canvas = element('picture', HTMLCanvasElement);
const photograph = element('photo', HTMLImageElement);
const controls = new Controls({ start, pause, reset, rate });
const view = new ViewControls(() => run?.redraw());
const chart = new LineChart(element('chart', HTMLElement), {
  lines: [{ label: 'PSNR', color: '--accent', width: 2 }],
  format: decibels,
  range: (low, high) => [Math.floor((low ?? 10) - 1), Math.ceil((high ?? 40) + 1)],
});
const history = { steps: [] as number[], psnrs: [] as number[] };
let gpu: DemoDevice | undefined;
let run: PageRun | undefined;
/** Counts starts and failures: a run whose number is another is not wanted any more. */
let attempt = 0;
/** Settles when the last run has freed the GPU: two of the largest may be more than it holds. */
let lastRunEnded: Promise<void> = Promise.resolve();

photograph.src = fileUrl(PHOTO_FILE);
setState('preparing', 'Looking for a GPU …');
try {
  const opened = await open();
  // Nothing is measured, and nothing allocated, for a page that nobody has looked at yet.
  await whenVisible();
  setState('preparing', 'Measuring how fast this GPU is …');
  const query = new URLSearchParams(location.search);
  // Whoever asks for a size needs no measurement.
  const isAsked = ['width', 'table', 'network', 'batch'].every((key) => query.has(key));
  const size = isAsked ? sizes.small : await suitableSize(opened.device);
  // A lost device has measured nothing.
  if (opened.failure) throw opened.failure;
  controls.begin(size, opened.device.limits, query);
  setState('idle', 'Ready.');
} catch (error) {
  setState('unavailable', 'Fitting is not possible here.');
  element('chart-panel', HTMLElement).hidden = true;
  showProblem((await gpu?.causeOf(error)) ?? error);
}

/** The device, requested anew after a loss. */
async function open(): Promise<DemoDevice> {
  if (gpu && !gpu.isLost) return gpu;
  gpu?.close();
  const opened = await openDevice('large', fail);
  setText('adapter', opened.adapterName);
  return (gpu = opened);
}

function start(settings: Settings): void {
  hideProblem();
  if (run !== undefined) {
    run.continue();
    setState('running', 'Fitting …');
    return;
  }
  setState('preparing', 'Allocating and compiling …');
  window.history.replaceState(undefined, '', `?${controls.query.toString()}`);
  lastRunEnded = fitAfter(lastRunEnded, settings, ++attempt);
}

function pause(): void {
  run?.pause();
  setState('paused', 'Paused.');
}

function reset(): void {
  attempt++;
  run?.stop();
  run = undefined;
  showNothing();
  setState('idle', 'Ready.');
}

function rate(lr: number): void {
  if (run !== undefined) run.fit.optimizer.lr = lr;
}

/** Never rejects: what goes wrong is shown. */
async function fitAfter(ended: Promise<void>, settings: Settings, number: number): Promise<void> {
  await ended;
  const isWanted = (): boolean => number === attempt;
  let device: DemoDevice | undefined;
  try {
    const [opened, photo] = await Promise.all([open(), fetchPhoto(settings.width)]);
    device = opened;
    const created = await PageRun.create(device, canvas, photo, settings, listenWhile(isWanted), () =>
      view.frame(photo),
    );
    if (isWanted()) show(created, settings);
    else created.stop();
    await created.run();
  } catch (error) {
    const cause = (await device?.causeOf(error)) ?? error;
    if (isWanted()) fail(cause);
  }
}

function show(created: PageRun, settings: Settings): void {
  showNothing();
  run = created;
  showModel(created.fit.plan, settings);
  photograph.hidden = true;
  setState('running', 'Fitting …');
}

/** Ends the run and says why; also for what the device reports on its own. */
function fail(error: unknown): void {
  attempt++;
  run?.stop();
  run = undefined;
  setState('idle', 'The run failed.');
  showProblem(error);
}

/** A run that was reset may still have news on its way; they must not appear in the next one. */
function listenWhile(isCurrent: () => boolean): RunListener {
  return {
    stepped: (step, ms) => {
      if (!isCurrent()) return;
      setText('steps', step.toLocaleString('en'));
      setText('step-time', milliseconds(ms));
    },
    timed: (parts) => isCurrent() && setText('step-parts', describeParts(parts)),
    painted: (step, psnr) => {
      if (!isCurrent()) return;
      history.steps.push(step);
      history.psnrs.push(psnr);
      chart.show(history.steps, history.psnrs);
      setText('psnr', decibels(psnr));
      canvas.dataset['paintedStep'] = String(step);
    },
  };
}

function showModel(plan: ModelPlan, { rule, lr, ...dtypes }: Settings): void {
  const { parameters, gradients, state } = bytesOf(plan, ruleFor(rule, lr), dtypes);
  setText('parameters', millions(plan.parameterCount));
  setText(
    'bytes',
    `${megabytes(parameters)} + ${megabytes(gradients)} gradients + ${megabytes(state)} state`,
  );
}

function showNothing(): void {
  for (const id of ['psnr', 'steps', 'parameters', 'step-time']) setText(id, '–');
  for (const id of ['bytes', 'step-parts']) setText(id, '');
  history.steps.length = history.psnrs.length = 0;
  chart.show([], []);
  delete canvas.dataset['paintedStep'];
  photograph.hidden = false;
}

function setState(state: RunState, status: string): void {
  controls.setState(state);
  setText('status', status);
}

function describeParts({ forward, backward, optimizer }: StepParts): string {
  return `forward ${short(forward)} · backward ${short(backward)} · optimizer ${short(optimizer)} ms`;
}

function decibels(psnr: number): string {
  return `${psnr.toFixed(2)} dB`;
}

function milliseconds(ms: number): string {
  return `${short(ms)} ms`;
}

function short(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}
