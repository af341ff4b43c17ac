import * as tf from '@tensorflow/tfjs-core';
import { type Batch, type Model, evaluate } from '../../../lab/tasks/task.js';
import { Optimizer, adam } from '../../../src/index.js';
import type { GpuSession } from '../../train/gpu-session.js';
import { type Parameter, createParameter, destroyParameters } from '../../train/parameter.js';
import type { SharedTask } from './shares.js';

/** A network whose gradients TensorFlow.js makes, and the optimizer of this library that steps it. */
export class Network {
  #losses: tf.Scalar[] = [];

  private constructor(
    private readonly session: GpuSession,
    private readonly shared: SharedTask,
    private readonly model: Model,
    private readonly parameters: readonly Parameter[],
    private readonly grads: readonly GPUBuffer[],
    readonly optimizer: Optimizer,
  ) {}

  /** @param rateOf what of the first learning rate a step has. */
  static async create(
    session: GpuSession,
    shared: SharedTask,
    seed: number,
    rateOf: () => number,
  ): Promise<Network> {
    const parameters: Parameter[] = [];
    const model = shared.task.createModel(seed, (name, shape, values) => {
      const parameter = createParameter(session, name, shape, values);
      parameters.push(parameter);
      return parameter.variable;
    });
    const grads = parameters.map(({ name, elementCount }) =>
      session.device.createBuffer({
        label: `gradient ${name}`,
        size: 4 * elementCount,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
      }),
    );
    const optimizer = await Optimizer.create(session.device, {
      rule: adam({ lr: () => shared.lr * rateOf() }),
      params: parameters.map(({ name, buffer }, k) => ({ name, data: buffer, grad: grads[k]! })),
    });
    return new Network(session, shared, model, parameters, grads, optimizer);
  }

  get elementCount(): number {
    return this.parameters.reduce((sum, { elementCount }) => sum + elementCount, 0);
  }

  /** One step, submitted. */
  step(batch: Batch): void {
    const { session, model, parameters, grads } = this;
    const { value, grads: made } = tf.variableGrads(() => model.loss(batch), [...model.variables]);
    this.#losses.push(value);
    // TensorFlow.js has gradients elsewhere each time.
    const sources = parameters.map(({ name }) => session.bufferOf(made[name]!));
    session.flush();
    const encoder = session.device.createCommandEncoder({ label: 'gradients' });
    sources.forEach((source, k) => encoder.copyBufferToBuffer(source, 0, grads[k]!, 0, grads[k]!.size));
    session.device.queue.submit([encoder.finish()]);
    this.optimizer.step();
    tf.dispose([made, batch.inputs, batch.targets]);
  }

  /** The mean loss of the steps since it was last asked. */
  async takeLoss(): Promise<number> {
    const losses = this.#losses;
    this.#losses = [];
    const mean = tf.tidy(() => tf.mean(tf.stack(losses)));
    tf.dispose(losses);
    const [value] = await mean.data();
    mean.dispose();
    return value!;
  }

  async evaluate(): Promise<{ loss: number; accuracy: number }> {
    const [loss, accuracy] = evaluate(this.model, this.shared.task.heldOut);
    const values = await Promise.all([loss.data(), accuracy.data()]);
    tf.dispose([loss, accuracy]);
    return { loss: values[0][0]!, accuracy: values[1][0]! };
  }

  /** SHA-256 of all weights, in hexadecimal digits. */
  async hash(): Promise<string> {
    const weights = await Promise.all(this.parameters.map(({ name }) => this.optimizer.readParam(name)));
    const digest = await crypto.subtle.digest('SHA-256', await new Blob(weights).arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  destroy(): void {
    this.session.flush();
    tf.dispose(this.#losses);
    this.optimizer.destroy();
    this.model.dispose();
    destroyParameters(this.parameters);
    for (const grad of this.grads) grad.destroy();
  }
}
