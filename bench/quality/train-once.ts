import * as tf from '@tensorflow/tfjs-core';
import { TABLES } from '../../lab/tasks/muon-with-adamw.js';
import type { Task } from '../../lab/tasks/task.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { f16 } from '../../src/codecs/f16.js';
import { f32 } from '../../src/codecs/f32.js';
import { Optimizer, type Parameter, type ParameterGroupConfig, adam, schedules } from '../../src/index.js';
import type { QualityTask } from './tasks.js';
import type { Variant } from './variants.js';

/** Losses that a run is told by are means of so many steps. */
const LOSS_STEPS = 25;

const HALVES = { f16, bf16 };

/** What a run came to. */
export interface Run {
  readonly variant: string;
  readonly seed: number;
  /** Of the held-out examples, with the weights of the end as they are kept. */
  readonly heldOutLoss: number;
  /** Mean losses of the batches, {@link LOSS_STEPS} each. */
  readonly losses: readonly number[];
  /** Of weights, state and what keeps weights more exactly, per parameter. */
  readonly bytesPerParameter: number;
}

/**
 * Trains once: TensorFlow.js computes gradients on the CPU from the weights as they are rounded, and an optimizer on the GPU steps them. The
 * same seed gives the same first weights, but for their rounding, and the same batches, whatever the variant.
 */
export async function trainOnce(
  device: GPUDevice,
  task: Task,
  { lr, batchSize, steps }: QualityTask,
  { name, dtype, makeRule = (rate) => adam({ lr: rate }), settings }: Variant,
  seed: number,
): Promise<Run> {
  const variables: tf.Variable[] = [];
  const buffers: { data: GPUBuffer; grad: GPUBuffer }[] = [];
  const names: string[] = [];
  const codec = dtype === undefined ? f32 : HALVES[dtype];
  const model = task.createModel(seed, (label, shape, values) => {
    const variable = tf.variable(tf.tensor(values, [...shape]), true, `${label} of ${name}, ${seed}`);
    const kept = codec.encode(values);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const data = device.createBuffer({ label, usage, size: kept.byteLength });
    const grad = device.createBuffer({ label: `${label} grad`, usage, size: values.byteLength });
    device.queue.writeBuffer(data, 0, kept);
    variables.push(variable);
    buffers.push({ data, grad });
    names.push(label);
    return variable;
  });
  const rule = makeRule(schedules.cosine({ lr, tMax: steps }));
  const params = names.map((label, i): Parameter => ({
    name: label,
    shape: variables[i]!.shape,
    length: variables[i]!.size,
    ...(dtype && { dtype }),
    ...buffers[i]!,
  }));
  const tables = rule.others ? params.filter((parameter) => TABLES.test(parameter.name!)) : [];
  const groups = [
    { params: params.filter((parameter) => !tables.includes(parameter)) },
    ...(tables.length > 0 ? [{ params: tables, others: true }] : []),
  ] as ParameterGroupConfig[];
  const optimizer = await Optimizer.create(device, {
    rule,
    groups,
    ...settings,
    ...(settings.stochasticRounding && { seed }),
  });

  const read = async () => {
    const weights = await Promise.all(names.map((label) => optimizer.readParam(label)));
    for (const [i, variable] of variables.entries()) {
      tf.tidy(() => variable.assign(tf.tensor(weights[i]!, variable.shape)));
    }
  };
  await read();
  const losses: number[] = [];
  let sum = 0;
  let step = 0;
  for (let epoch = 0; step < steps; epoch++) {
    for (const batch of task.batches(batchSize, 1000 * seed + epoch)) {
      if (step === steps) break;
      step++;
      const { value, grads } = tf.variableGrads(() => model.loss(batch), variables);
      for (const [i, variable] of variables.entries()) {
        device.queue.writeBuffer(
          buffers[i]!.grad,
          0,
          grads[variable.name]!.dataSync() as Float32Array<ArrayBuffer>,
        );
      }
      sum += value.dataSync()[0]!;
      tf.dispose([value, grads, { ...batch }]);
      optimizer.step();
      await read();
      if (step % LOSS_STEPS === 0) {
        losses.push(sum / LOSS_STEPS);
        sum = 0;
      }
    }
  }
  const heldOutLoss = tf.tidy(() => model.loss(task.heldOut).dataSync()[0]!);
  const { weights, state, masterWeights } = optimizer.memory();
  const elementCount = variables.reduce((count, { size }) => count + size, 0);
  optimizer.destroy();
  model.dispose();
  tf.dispose(variables);
  for (const { data, grad } of buffers) {
    data.destroy();
    grad.destroy();
  }
  return {
    variant: name,
    seed,
    heldOutLoss,
    losses,
    bytesPerParameter: (weights + state + masterWeights) / elementCount,
  };
}
