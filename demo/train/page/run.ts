import { PausableRun } from '../../site/pausable-run.js';
import { GpuSession } from '../gpu-session.js';
import type { Task } from '../../../lab/tasks/task.js';
import type { TrainingReport, TrainingSummary } from '../reports.js';
import { Trainer } from '../trainer.js';
import type { Settings } from './controls.js';
import type { PageTask } from './page-task.js';

/** Steps between two reports: few, because pause and reset wait for the next one. */
const REPORT_EVERY = 5;
/** What the networks make of examples is for the eye: at most this often, and at most a sixth of the time. */
const MIN_SHOW_GAP_MS = 250;
const SHOW_GAP_FACTOR = 5;

/** What is known once the run can begin. */
export interface Preparation {
  readonly adapterName: string;
  readonly network: string;
  /** Trainable numbers of one network, and in how many tensors they are. */
  readonly elementCount: number;
  readonly tensorCount: number;
  /** Milliseconds in the optimizer per step, left and right. */
  readonly optimizerMs: readonly number[];
}

/** Who hears how a run goes. Reports and summaries are left, then right. */
export interface RunListener {
  prepared(preparation: Preparation): void;
  reported(reports: readonly TrainingReport[]): void;
}

/** One training run on the page, with a GPU device of its own that ends with it. */
export class PageRun extends PausableRun {
  constructor(
    private readonly pageTask: PageTask,
    private readonly listener: RunListener,
  ) {
    super();
  }

  /**
   * Trains until it is done or stopped. Whichever it is, and also when it fails, everything on the
   * GPU is freed when the promise settles.
   *
   * @returns the summaries, or nothing when the run was stopped.
   */
  async train({ choices, steps, seed }: Settings): Promise<readonly TrainingSummary[] | undefined> {
    if (this.isStopped) {
      return undefined;
    }
    // A paused run that fails says so at once.
    const session = await GpuSession.open(() => this.continue());
    let task: Task | undefined;
    let trainer: Trainer | undefined;
    try {
      const opened = await this.pageTask.open(session);
      task = opened.task;
      trainer = await Trainer.create(session, task, choices, {
        epochs: Infinity,
        maxSteps: steps,
        seed,
        batchSize: opened.batchSize,
        reportEvery: REPORT_EVERY,
        // It compiles, and tells a visitor with a slow GPU how long the others take.
        firstReport: 1,
      });
      const [{ elementCount, model }] = trainer.learners as [(typeof trainer.learners)[0]];
      this.listener.prepared({
        adapterName: session.adapterName,
        network: opened.network,
        elementCount,
        tensorCount: model.variables.length,
        optimizerMs: await trainer.measureOptimizers(),
      });
      const models = trainer.learners.map((learner) => learner.model);
      const run = trainer.run();
      let nextShow = 0;
      while (!this.isStopped) {
        const { done, value } = await run.next();
        if ((done === true || performance.now() > nextShow) && !this.isStopped) {
          const start = performance.now();
          await opened.show(models);
          const took = performance.now() - start;
          nextShow = performance.now() + Math.max(MIN_SHOW_GAP_MS, SHOW_GAP_FACTOR * took);
        }
        session.assertHealthy();
        if (done === true) {
          return value;
        }
        this.listener.reported(value);
        await this.ready();
        session.assertHealthy();
      }
      await run.return(undefined as never);
      return undefined;
    } catch (error) {
      throw await session.causeOf(error);
    } finally {
      trainer?.destroy();
      task?.destroy();
      session.close();
    }
  }
}
