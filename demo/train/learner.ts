import * as tf from '@tensorflow/tfjs-core';
import type { LearningRate } from '../../src/index.js';
import type { GpuSession } from './gpu-session.js';
import { updaterFactory, type OptimizerChoice } from './optimizer-choice.js';
import { measureOptimizerMs } from './optimizer-time.js';
import { createParameter, destroyParameters, type Parameter } from './parameter.js';
import type { Batch, Model, Task } from '../../lab/tasks/task.js';
import type { Updater, UpdaterFactory } from './updater.js';

/** A network and the optimizer that moves it. */
export class Learner {
  private constructor(
    private readonly session: GpuSession,
    private readonly createScratchUpdater: UpdaterFactory,
    readonly model: Model,
    private readonly parameters: readonly Parameter[],
    private readonly updater: Updater,
  ) {}

  /**
   * Nothing is left on the GPU when it fails.
   *
   * @param name goes before the names of its parameters, which are unique on a device.
   * @param lr the rate of each step.
   * @throws Error when the rule is unknown, OptimizerError when it does not accept the rate of the choice.
   */
  static async create(
    session: GpuSession,
    task: Task,
    choice: OptimizerChoice,
    { name, seed, lr }: { name: string; seed: number; lr: LearningRate },
  ): Promise<Learner> {
    // A constant rate: the schedule of the run ends with the run. Made first, for it also checks the rate.
    const createScratchUpdater = updaterFactory(choice);
    const parameters: Parameter[] = [];
    let model: Model | undefined;
    try {
      model = task.createModel(seed, (tensor, shape, values) => {
        const parameter = createParameter(session, `${name}${tensor}`, shape, values);
        parameters.push(parameter);
        return parameter.variable;
      });
      const updater = await updaterFactory(choice, lr)(session, parameters);
      return new Learner(session, createScratchUpdater, model, parameters, updater);
    } catch (error) {
      session.flush();
      model?.dispose();
      destroyParameters(parameters);
      throw error;
    }
  }

  /** One step, recorded and submitted; returns its loss, still on the GPU. */
  step(batch: Batch): tf.Scalar {
    const { value, grads } = tf.variableGrads(() => this.model.loss(batch), [...this.model.variables]);
    const gradients = this.parameters.map(({ name }) => grads[name] as tf.Tensor);
    this.updater.apply(gradients);
    tf.dispose(gradients);
    return value;
  }

  /** Milliseconds that a step of its optimizer takes, measured on its own, on scratch tensors; takes some seconds. */
  async measureOptimizer(): Promise<number> {
    return await measureOptimizerMs(this.session, this.parameters, this.createScratchUpdater);
  }

  /** Number of trainable elements. */
  get elementCount(): number {
    return this.parameters.reduce((sum, { elementCount }) => sum + elementCount, 0);
  }

  /** Frees network and optimizer. Flush the session first. */
  destroy(): void {
    this.updater.destroy();
    this.model.dispose();
    destroyParameters(this.parameters);
  }
}
