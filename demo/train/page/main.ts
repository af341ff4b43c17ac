/**
 * The Train page. `?task=moby-dick&left=adam&leftLr=0.003&right=tfjs:adam&steps=500&seed=1&size=small&temperature=0.8` chooses
 * as the form does, and `&start` starts.
 */
import { setText } from '../../site/elements.js';
import { hideProblem, showProblem } from '../../site/problem.js';
import { GpuSession } from '../gpu-session.js';
import { Controls, type RunState, type Settings } from './controls.js';
import type { PageTask } from './page-task.js';
import { pageTasks, type TaskName } from './page-tasks.js';
import { Progress } from './progress.js';
import { PageRun, type RunListener } from './run.js';
import './style.css';

const controls = new Controls({ choose: (task) => void choose(task), start, pause, reset });
const progress = new Progress(currentTask());
let run: PageRun | undefined;
/** Settles when the last run has freed the GPU; tfjs can have only one at a time. */
let lastRunEnded: Promise<void> = Promise.resolve();

setState('loading', 'Looking for a GPU …');
try {
  setText('adapter', await GpuSession.probe());
  if (await choose(controls.task)) controls.startIfAsked();
} catch (error) {
  fail(error);
}

/** Loads a task and shows what belongs to it. Whether it can be started. */
async function choose(name: TaskName): Promise<boolean> {
  const task: PageTask = pageTasks[name];
  for (const part of document.querySelectorAll<HTMLElement>('[data-task]')) {
    part.hidden = part.dataset['task'] !== name;
  }
  setState('loading', `Loading ${task.title} …`);
  try {
    await task.load();
    reset();
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

function start(settings: Settings): void {
  if (run !== undefined) {
    run.continue();
    setState('running', 'Training …');
    return;
  }
  hideProblem();
  setState('preparing', 'Compiling shaders and measuring the optimizers …');
  progress.start(currentTask(), settings.choices);
  const next = new PageRun(
    currentTask(),
    listenWhile(() => run === next),
  );
  run = next;
  lastRunEnded = trainAfter(lastRunEnded, next, settings);
}

function pause(): void {
  run?.pause();
  setState('paused', 'Paused.');
}

function reset(): void {
  run?.stop();
  run = undefined;
  progress.start(currentTask(), controls.choices);
  currentTask().clear();
  hideProblem();
  setState('idle', 'Ready.');
}

function currentTask(): PageTask {
  return pageTasks[controls.task];
}

/** Never rejects: what goes wrong is shown. */
async function trainAfter(ended: Promise<void>, current: PageRun, settings: Settings): Promise<void> {
  await ended;
  try {
    const summaries = await current.train(settings);
    if (run === current && summaries !== undefined) {
      const [{ steps, seconds }] = summaries as [(typeof summaries)[0]];
      setState('finished', `Done: ${steps} steps in ${seconds.toFixed(1)} s.`);
    }
  } catch (error) {
    if (run === current) {
      run = undefined;
      setState('idle', 'The run failed.');
      showProblem(error);
    }
  }
}

/** A run that was reset may still have a report on its way; it must not appear in the next one. */
function listenWhile(isCurrent: () => boolean): RunListener {
  return {
    prepared(preparation) {
      if (!isCurrent()) return;
      setText('adapter', preparation.adapterName);
      progress.prepared(preparation);
      setState('running', 'Training …');
    },
    reported: (reports) => isCurrent() && progress.add(reports),
  };
}

function fail(error: unknown): void {
  setState('unavailable', 'Training is not possible here.');
  for (const panel of document.querySelectorAll<HTMLElement>('[data-results]')) panel.hidden = true;
  showProblem(error);
}

function setState(state: RunState, status: string): void {
  controls.setState(state);
  setText('status', status);
}
