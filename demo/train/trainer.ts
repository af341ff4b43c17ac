import * as tf from '@tensorflow/tfjs-core';
import { GpuDigits } from './dataset.js';
import { PIXEL_COUNT } from './digit-format.js';
import type { DigitSet, DigitSplit } from './digits.js';
import type { GpuSession } from './gpu-session.js';
import { DigitModel } from './model.js';
import { measureOptimizerMs } from './optimizer-time.js';
import { defaultLearningRate, updaterFactory, type OptimizerChoice } from './optimizer-choice.js';
import type {
  EpochReport,
  ProgressReport,
  TrainingOptions,
  TrainingReport,
  TrainingSummary,
} from './reports.js';
import { StepClock } from './step-clock.js';
import type { Updater, UpdaterFactory } from './updater.js';

interface Destroyable {
  destroy(): void;
}

/** What a run has put on the GPU. */
interface Resources {
  readonly model: DigitModel;
  readonly updater: Updater;
  readonly trainDigits: GpuDigits;
  readonly heldOutDigits: GpuDigits;
}

/** One training run: the network, the optimizer's state, the digits on the GPU, and the loop. */
export class Trainer {
  private optimizerMs = Number.NaN;

  private constructor(
    private readonly session: GpuSession,
    private readonly options: TrainingOptions,
    private readonly resources: Resources,
    /** Steps of one epoch. */
    private readonly stepsPerEpoch: number,
    /** Steps of the whole run. */
    readonly totalSteps: number,
    private readonly createScratchUpdater: UpdaterFactory,
  ) {}

  /** Puts everything on the GPU that a run needs. Nothing is left there when it fails. */
  static async create(
    session: GpuSession,
    digits: DigitSplit,
    choice: OptimizerChoice,
    options: TrainingOptions,
  ): Promise<Trainer> {
    const { epochs, batchSize, seed, maxSteps = Infinity } = options;
    const stepsPerEpoch = Math.floor(digits.train.count / batchSize);
    if (stepsPerEpoch === 0) {
      throw new Error(`A batch of ${batchSize} is more than the ${digits.train.count} digits to train on.`);
    }
    const totalSteps = Math.min(epochs * stepsPerEpoch, maxSteps);
    const lr = choice.lr ?? defaultLearningRate(choice.rule);
    const schedule = options.decay === 'none' ? lr : (step: number) => lr * (1 - step / totalSteps);

    const made: Destroyable[] = [];
    const own = <T extends Destroyable>(resource: T): T => {
      made.push(resource);
      return resource;
    };
    try {
      const model = own(DigitModel.create(session, seed));
      const resources = {
        model,
        updater: own(await updaterFactory(choice, schedule)(session, model.parameters)),
        trainDigits: own(GpuDigits.upload(digits.train)),
        heldOutDigits: own(GpuDigits.upload(digits.heldOut)),
      };
      return new Trainer(session, options, resources, stepsPerEpoch, totalSteps, updaterFactory(choice, lr));
    } catch (error) {
      session.flush();
      for (const resource of made) {
        resource.destroy();
      }
      throw error;
    }
  }

  /**
   * Measures the optimizer on its own, before or after a run; takes some seconds. Reports and summary
   * of a run give its time and share as NaN without.
   */
  async measureOptimizer(): Promise<void> {
    const { parameters } = this.resources.model;
    this.optimizerMs = await measureOptimizerMs(this.session, parameters, this.createScratchUpdater);
  }

  /**
   * Trains, and yields a report every `reportEvery` steps and after each epoch. Whoever iterates
   * decides: not asking for the next report is a pause (its time is not counted), leaving is a stop.
   *
   * Parameters are never copied. The only read-back is that of a report: the losses of all steps
   * since the last one, in one piece.
   */
  async *run(): AsyncGenerator<TrainingReport, TrainingSummary, undefined> {
    const { batchSize, seed, reportEvery } = this.options;
    const { totalSteps, stepsPerEpoch } = this;
    const { trainDigits } = this.resources;
    const clock = new StepClock();
    let losses: tf.Scalar[] = [];
    let intervalStart = performance.now();
    let step = 0;
    let evaluation = { loss: Number.NaN, accuracy: 0 };
    try {
      for (let epoch = 1; step < totalSteps; epoch++) {
        const epochEnd = Math.min(totalSteps, step + stepsPerEpoch);
        for (const batch of trainDigits.batches(batchSize, seed * 1000 + epoch)) {
          losses.push(this.step(batch));
          step++;
          if (losses.length === reportEvery || step === epochEnd) {
            const values = await readScalars(losses);
            tf.dispose(losses);
            losses = [];
            const intervalMs = performance.now() - intervalStart;
            clock.addInterval(intervalMs, values.length);
            this.session.assertHealthy();
            yield this.progress(epoch, step, values, intervalMs);
            intervalStart = performance.now();
          }
          if (step === epochEnd) {
            break;
          }
        }
        const evaluationStart = performance.now();
        evaluation = await this.evaluate();
        clock.addEvaluation(performance.now() - evaluationStart);
        yield { kind: 'epoch', epoch, step, ...evaluation } satisfies EpochReport;
        intervalStart = performance.now();
      }
    } finally {
      tf.dispose(losses);
    }
    return {
      ...evaluation,
      steps: step,
      seconds: clock.totalMs / 1000,
      stepMs: clock.stepMs,
      optimizerMs: this.optimizerMs,
    };
  }

  /** The class that the network takes each digit for. Waits for the GPU. */
  async predict({ count, pixels }: DigitSet): Promise<Int32Array> {
    const classes = tf.tidy(() => {
      const images = tf.tensor2d(
        Float32Array.from(pixels, (level) => level / 255),
        [count, PIXEL_COUNT],
      );
      return tf.argMax(this.resources.model.logits(images), 1);
    });
    const values = await classes.data<'int32'>();
    classes.dispose();
    return values;
  }

  /** Frees everything that this run put on the GPU. */
  destroy(): void {
    this.session.flush();
    for (const resource of Object.values(this.resources) as Destroyable[]) {
      resource.destroy();
    }
  }

  /** One step, recorded and submitted; returns its loss, still on the GPU. */
  private step({ images, oneHotLabels }: { images: tf.Tensor2D; oneHotLabels: tf.Tensor2D }): tf.Scalar {
    const { loss, gradients } = this.resources.model.gradients(images, oneHotLabels);
    this.resources.updater.apply(gradients);
    tf.dispose([images, oneHotLabels, ...gradients]);
    return loss;
  }

  private progress(epoch: number, step: number, losses: number[], ms: number): ProgressReport {
    const stepMs = ms / losses.length;
    return {
      kind: 'progress',
      epoch,
      step,
      totalSteps: this.totalSteps,
      losses,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      stepMs,
      stepsPerSecond: 1000 / stepMs,
      optimizerShare: Math.min(1, this.optimizerMs / stepMs),
    };
  }

  /** Loss and accuracy on the held-out digits: one pass, one read-back. */
  private async evaluate(): Promise<{ loss: number; accuracy: number }> {
    const { images, labels, oneHotLabels } = this.resources.heldOutDigits;
    const scores = tf.tidy(() => {
      const logits = this.resources.model.logits(images);
      const loss = tf.losses.softmaxCrossEntropy<tf.Tensor2D, tf.Scalar>(oneHotLabels, logits);
      const accuracy = tf.mean<tf.Scalar>(tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32'));
      return [loss, accuracy];
    });
    const [loss, accuracy] = (await readScalars(scores)) as [number, number];
    tf.dispose(scores);
    return { loss, accuracy };
  }
}

async function readScalars(scalars: readonly tf.Scalar[]): Promise<number[]> {
  const stacked = tf.stack([...scalars]);
  const values = await stacked.data<'float32'>();
  stacked.dispose();
  return [...values];
}
