import '../splats.css';
import { fileUrl } from '../../../lab/tasks/file-url.js';
import { PHOTO_FILE } from '../../shared/photo-file.js';
import { fetchPhoto } from '../../shared/photo.js';
import { element, setText } from '../../site/elements.js';
import { hideProblem, showProblem } from '../../site/problem.js';
import { type DemoDevice, isSoftware, openDevice } from '../../site/webgpu.js';
import { type Settings, sizes } from '../settings.js';
import { Controls, type RunState } from './controls.js';
import { Results } from './results.js';
import { PageRun } from './run.js';

const canvases = {
  kept: element('kept-picture', HTMLCanvasElement),
  dropped: element('dropped-picture', HTMLCanvasElement),
};
const controls = new Controls({ start, pause, reset });
const results = new Results();
let gpu: DemoDevice | undefined;
let run: PageRun | undefined;
/** Counts starts and failures: a run whose number is another is not wanted any more. */
let attempt = 0;
/** Settles when the last run has freed the GPU: two of the largest may be more than it holds. */
let lastRunEnded: Promise<void> = Promise.resolve();

element('photo', HTMLImageElement).src = fileUrl(PHOTO_FILE);
setState('preparing', 'Looking for a GPU …');
try {
  const { adapter, device, failure } = await open();
  if (failure) throw failure;
  const size = isSoftware(adapter.info) ? sizes.software : sizes.gpu;
  const query = new URLSearchParams(location.search);
  controls.begin(size, device.limits, query);
  setState('idle', 'Ready.');
  if (query.has('start')) controls.submit();
} catch (error) {
  setState('unavailable', 'Fitting is not possible here.');
  element('chart-panel', HTMLElement).hidden = true;
  showProblem((await gpu?.causeOf(error)) ?? error);
}

/** The device, requested anew after a loss. */
async function open(): Promise<DemoDevice> {
  if (gpu && !gpu.isLost) return gpu;
  gpu?.close();
  const opened = await openDevice('splats', fail);
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
  results.clear();
  setState('idle', 'Ready.');
}

/** Never rejects: what goes wrong is shown. */
async function fitAfter(ended: Promise<void>, settings: Settings, number: number): Promise<void> {
  await ended;
  const isWanted = (): boolean => number === attempt;
  let device: DemoDevice | undefined;
  try {
    const [opened, photo] = await Promise.all([open(), fetchPhoto(settings.width)]);
    device = opened;
    const created = await PageRun.create(device, canvases, photo, settings, (progress) => {
      if (isWanted()) results.add(created.plan, progress);
    });
    if (isWanted()) {
      results.clear();
      run = created;
      setState('running', 'Fitting …');
    } else created.stop();
    const isDone = await created.run();
    if (!isWanted() || !isDone) return;
    run = undefined;
    setState('idle', `Done after ${settings.steps.toLocaleString('en')} steps.`);
  } catch (error) {
    const cause = (await device?.causeOf(error)) ?? error;
    if (isWanted()) fail(cause);
  }
}

/** Ends the run and says why; also for what the device reports on its own. */
function fail(error: unknown): void {
  attempt++;
  run?.stop();
  run = undefined;
  setState('idle', 'The run failed.');
  showProblem(error);
}

function setState(state: RunState, status: string): void {
  controls.setState(state);
  setText('status', status);
}
