/** Runs that leave tensors out of some steps, against optimizers of one tensor that simply made fewer. */
import {
  Optimizer,
  type OptimizerSettings,
  type Parameter,
  ParameterArena,
  type Rule,
} from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer, makeParameter } from './tensors.js';

/** A tensor that a test owns: its weights are known, and its gradient can be written. */
export interface OwnTensor {
  readonly parameter: Parameter & { readonly name: string };
  readonly weights: Float32Array<ArrayBuffer>;
  readonly upload: (gradient: Float32Array<ArrayBuffer>) => void;
}

/** How tensors lie beside each other, and with that what they share. */
export const LAYOUTS = ['arena', 'own buffers', 'ragged in one buffer'] as const;

/** One of {@link LAYOUTS}. */
export type Layout = (typeof LAYOUTS)[number];

/** Tensors of these lengths with random weights, named `t0`, `t1`, …. */
export async function layOut(
  layout: Layout,
  device: GPUDevice,
  track: Track,
  weights: readonly Float32Array<ArrayBuffer>[],
): Promise<OwnTensor[]> {
  if (layout === 'own buffers') {
    return weights.map((values, k) => {
      const parameter = makeParameter(device, track, `t${k}`, values, new Float32Array(values.length));
      const upload = (gradient: Float32Array<ArrayBuffer>) =>
        device.queue.writeBuffer(parameter.grad, 0, gradient);
      return { parameter: { ...parameter, name: `t${k}` }, weights: values, upload };
    });
  }
  if (layout === 'arena') {
    const spec = Object.fromEntries(weights.map(({ length }, k) => [`t${k}`, { shape: [length] }]));
    const arena = track(await ParameterArena.create(device, spec));
    return weights.map((values, k) => {
      const name = `t${k}`;
      arena.load(name, values);
      const { buffer, offset } = arena.gradView(name);
      const upload = (gradient: Float32Array<ArrayBuffer>) =>
        device.queue.writeBuffer(buffer, offset, gradient);
      return { parameter: { ...arena.params[k]!, name }, weights: values, upload };
    });
  }
  // Neighbours without a gap, the first out of phase with 16 bytes: they share vec4s.
  const total = weights.reduce((sum, { length }) => sum + length, 1);
  const [data, grad] = [
    makeBuffer(device, track, new Float32Array(total)),
    makeBuffer(device, track, new Float32Array(total)),
  ];
  let offset = 4;
  return weights.map((values, k) => {
    const range = { offset, size: values.byteLength };
    offset += values.byteLength;
    device.queue.writeBuffer(data, range.offset, values);
    const upload = (gradient: Float32Array<ArrayBuffer>) =>
      device.queue.writeBuffer(grad, range.offset, gradient);
    const parameter = { name: `t${k}`, data: { buffer: data, ...range }, grad: { buffer: grad, ...range } };
    return { parameter, weights: values, upload };
  });
}

/** What is compared. */
export interface LeftOutRun {
  readonly device: GPUDevice;
  readonly track: Track;
  readonly random: Random;
  readonly rule: Rule;
  readonly config: OptimizerSettings;
  readonly layout: Layout;
  readonly lengths: readonly number[];
  /** Per step, the positions of the tensors that it leaves out. */
  readonly skips: readonly (readonly number[])[];
  /** Slots of the state that are compared. */
  readonly slots: readonly string[];
}

/**
 * Makes all steps without waiting for any, and compares each tensor with an optimizer of its own that was not asked for the
 * steps that left it out: weights, state, and its own count.
 *
 * @throws Error saying what differs.
 */
export async function checkLeftOut(run: LeftOutRun): Promise<void> {
  const { device, track, random, rule, config, layout, lengths, skips, slots } = run;
  const weights = lengths.map((length) => random.weights(length));
  const gradients = skips.map(() => lengths.map((length) => random.gradients(length)));
  const tensors = await layOut(layout, device, track, weights);
  const params = tensors.map(({ parameter }) => parameter);
  const optimizer = track(await Optimizer.create(device, { rule, params, ...config }));
  const alone = lengths.map((_, k) =>
    makeParameter(device, track, `t${k}`, weights[k]!, new Float32Array(lengths[k]!)),
  );
  const single = await Promise.all(
    alone.map(async (parameter) =>
      track(await Optimizer.create(device, { rule, params: [parameter], ...config })),
    ),
  );
  const counts = lengths.map(() => 0);
  for (const [step, skipped] of skips.entries()) {
    for (const [k, gradient] of gradients[step]!.entries()) {
      tensors[k]!.upload(gradient);
      if (skipped.includes(k)) continue;
      device.queue.writeBuffer(alone[k]!.grad, 0, gradient);
      single[k]!.step();
      counts[k]!++;
    }
    const skip = new Set(skipped.map((k) => `t${k}`));
    // Each form that leaves something out, in turn.
    if (step % 2 === 0) optimizer.step({ skip });
    else {
      const encoder = device.createCommandEncoder();
      optimizer.encode(encoder, { skip: [...skip] });
      device.queue.submit([encoder.finish()]);
    }
  }
  for (const [k, twin] of single.entries()) {
    const name = `t${k}`;
    const what = `${rule.name}, ${layout}, ${JSON.stringify(config)}, seeded skips ${JSON.stringify(skips)}: ${name}`;
    expectSame(await optimizer.readParam(name), await twin.readParam(name), what);
    for (const slot of slots) {
      expectSame(await optimizer.readState(name, slot), await twin.readState(name, slot), `${what} ${slot}`);
    }
    const [count] = await optimizer.readState(name, 'step');
    if (count !== counts[k]) throw new Error(`${what}: step is ${count}, want ${counts[k]}`);
  }
}

function expectSame(got: Float32Array<ArrayBuffer>, want: Float32Array<ArrayBuffer>, what: string): void {
  const difference = bitDifference(got, want);
  if (difference !== undefined) throw new Error(`${what}: ${difference}`);
}

/** For each of so many steps, tensors that are left out: each with one chance in three, now and then all or none. */
export function drawSkips(random: Random, steps: number, tensorCount: number): number[][] {
  return Array.from({ length: steps }, () => {
    const all = [...Array(tensorCount).keys()];
    const draw = random.uniform();
    if (draw < 0.1) return all;
    return draw < 0.2 ? [] : all.filter(() => random.uniform() < 1 / 3);
  });
}
