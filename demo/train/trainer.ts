import * as tf from '@tensorflow/tfjs-core';
import type { GpuSession } from './gpu-session.js';
import { Learner } from './learner.js';
import { defaultLearningRate, type OptimizerChoice } from './optimizer-choice.js';
import type {
  EpochReport,
  ProgressReport,
  TrainingOptions,
  TrainingReport,
  TrainingSummary,
} from './reports.js';
import { StepClock } from './step-clock.js';
import { evaluate, type Task } from '../../lab/tasks/task.js';

interface Evaluation {
  readonly loss: number;
  readonly accuracy: number;
}

/**
 * A training run: one learner or several that advance together, step by step, on the same batches from the same initial
 * weights, so that nothing but their optimizers tells them apart.
 */
export class Trainer {
  private optimizerMs: readonly number[];

  private constructor(
    private readonly session: GpuSession,
    private readonly task: Task,
    private readonly options: TrainingOptions,
    /** In the order of the choices. */
    readonly learners: readonly Learner[],
    /** Steps of one epoch. */
    private readonly stepsPerEpoch: number,
    /** Steps of the whole run. */
    readonly totalSteps: number,
  ) {
    this.optimizerMs = learners.map(() => Number.NaN);
  }

  /** Makes a learner per choice. Nothing is left on the GPU when it fails; the task stays the caller's. */
  static async create(
    session: GpuSession,
    task: Task,
    choices: readonly OptimizerChoice[],
    options: TrainingOptions,
  ): Promise<Trainer> {
    const { epochs, batchSize, seed, maxSteps = Infinity } = options;
    const stepsPerEpoch = task.stepsPerEpoch(batchSize);
    const totalSteps = Math.min(epochs * stepsPerEpoch, maxSteps);
    const learners: Learner[] = [];
    try {
      for (const [i, choice] of choices.entries()) {
        const rate = choice.lr ?? defaultLearningRate(choice.rule);
        const lr = options.decay === 'none' ? rate : (step: number) => rate * (1 - step / totalSteps);
        learners.push(await Learner.create(session, task, choice, { name: `${i}.`, seed, lr }));
      }
      return new Trainer(session, task, options, learners, stepsPerEpoch, totalSteps);
    } catch (error) {
      destroyLearners(session, learners);
      throw error;
    }
  }

  /**
   * Measures the optimizers on their own, before or after a run; takes some seconds. Reports and summary
   * of a run give time and share as NaN without.
   *
   * @returns milliseconds per step of each.
   */
  async measureOptimizers(): Promise<readonly number[]> {
    const measured: number[] = [];
    for (const learner of this.learners) {
      measured.push(await learner.measureOptimizer());
    }
    this.optimizerMs = measured;
    return measured;
  }

  /**
   * Trains, and yields reports, one per learner, every `reportEvery` steps (the first after `firstReport`) and after each epoch. Whoever iterates
   * decides: not asking for the next report is a pause (its time is not counted), leaving is a stop.
   *
   * Parameters are never copied. The only read-back is that of a report: the losses of all steps
   * since the last one, in one piece.
   */
  async *run(): AsyncGenerator<readonly TrainingReport[], readonly TrainingSummary[], undefined> {
    const { batchSize, seed, reportEvery, firstReport = reportEvery } = this.options;
    const { totalSteps, stepsPerEpoch } = this;
    const clock = new StepClock();
    /** Those of a step side by side, step after step. */
    let losses: tf.Scalar[] = [];
    let intervalStart = performance.now();
    let step = 0;
    let stepsInInterval = 0;
    let evaluations: readonly Evaluation[] = this.learners.map(() => ({ loss: Number.NaN, accuracy: 0 }));
    try {
      for (let epoch = 1; step < totalSteps; epoch++) {
        const epochEnd = Math.min(totalSteps, step + stepsPerEpoch);
        for (const batch of this.task.batches(batchSize, seed * 1000 + epoch)) {
          losses.push(...this.learners.map((learner) => learner.step(batch)));
          tf.dispose([batch.inputs, batch.targets]);
          step++;
          stepsInInterval++;
          const length = step === stepsInInterval ? firstReport : reportEvery;
          if (stepsInInterval === length || step === epochEnd) {
            const values = await readScalars(losses);
            tf.dispose(losses);
            losses = [];
            const intervalMs = performance.now() - intervalStart;
            clock.addInterval(intervalMs, stepsInInterval);
            this.session.assertHealthy();
            yield this.progress(epoch, step, values, intervalMs / stepsInInterval);
            stepsInInterval = 0;
            intervalStart = performance.now();
          }
          if (step === epochEnd) {
            break;
          }
        }
        const evaluationStart = performance.now();
        evaluations = await this.evaluate();
        clock.addEvaluation(performance.now() - evaluationStart);
        yield evaluations.map((found): EpochReport => ({ kind: 'epoch', epoch, step, ...found }));
        intervalStart = performance.now();
      }
    } finally {
      tf.dispose(losses);
    }
    return evaluations.map((found, i) => ({
      ...found,
      steps: step,
      seconds: clock.totalMs / 1000,
      stepMs: clock.stepMs,
      optimizerMs: this.optimizerMs[i]!,
    }));
  }

  /** Frees everything that this run put on the GPU. */
  destroy(): void {
    destroyLearners(this.session, this.learners);
  }

  private progress(epoch: number, step: number, values: readonly number[], stepMs: number): ProgressReport[] {
    const count = this.learners.length;
    return this.learners.map((_, learner) => {
      const losses = values.filter((_loss, i) => i % count === learner);
      return {
        kind: 'progress',
        epoch,
        step,
        totalSteps: this.totalSteps,
        losses,
        loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
        stepMs,
        stepsPerSecond: 1000 / stepMs,
        optimizerShare: Math.min(1, this.optimizerMs[learner]! / stepMs),
      };
    });
  }

  /** Loss and accuracy on the held-out examples: one pass per learner, one read-back. */
  private async evaluate(): Promise<Evaluation[]> {
    const scores = this.learners.flatMap(({ model }) => evaluate(model, this.task.heldOut));
    const values = await readScalars(scores);
    tf.dispose(scores);
    return this.learners.map((_, i) => ({ loss: values[2 * i]!, accuracy: values[2 * i + 1]! }));
  }
}

function destroyLearners(session: GpuSession, learners: readonly Learner[]): void {
  session.flush();
  for (const learner of learners) {
    learner.destroy();
  }
}

async function readScalars(scalars: readonly tf.Scalar[]): Promise<number[]> {
  const stacked = tf.stack([...scalars]);
  const values = await stacked.data<'float32'>();
  stacked.dispose();
  return [...values];
}
