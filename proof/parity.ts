import {
  type AverageOptions,
  Optimizer,
  type Parameter,
  ReferenceOptimizer,
  type Rule,
} from '../src/index.js';
import { resolveAverages } from '../src/averages/registry.js';
import type { StateDtype } from '../src/codecs/state-dtype.js';
import { withSettings } from '../src/rules/rule.js';
import { layoutOf } from '../src/kernel/rule-layout.js';
import { BoundedRun, type Clips, boundedPart } from './bounded-run.js';
import { type Deviation, bitDifference, checkWithinBound, largerDeviation } from './compare.js';
import type { Track } from './track.js';
import { isSwiftShader } from './adapter.js';
import type { Random } from './random.js';
import { readBuffer } from './read-buffer.js';

/** Where a tensor lies: offsets in elements from a vec4-aligned place. */
export interface TensorLayout {
  readonly length: number;
  readonly dataOffset: number;
  readonly gradOffset: number;
}

/** A rule, where its tensors lie, what they hold, and how long it runs. */
export interface ParityRun {
  readonly device: GPUDevice;
  /** Gets all that is to be destroyed afterwards. */
  readonly track: Track;
  readonly rule: Rule;
  /** Averages of the weights that are taken with it. */
  readonly averages?: AverageOptions;
  /** How its state is kept. Default `'f32'`. */
  readonly stateDtype?: StateDtype;
  /** How gradients are clipped. Default not at all. */
  readonly clip?: Clips;
  /** Whether each step looks for NaN on the GPU before it is made. Default false. */
  readonly skipNonFinite?: boolean;
  readonly layouts: readonly TensorLayout[];
  /** Whether data and gradients share one GPUBuffer. */
  readonly oneBuffer: boolean;
  /** Whether each tensor lies in buffers, or in one buffer, of its own. Default false. */
  readonly ownBuffers?: boolean;
  readonly steps: number;
  /** Whether a step leaves a tensor out, by its position; default: none. Tensors then have counts of their own. */
  readonly isSkipped?: (step: number, tensor: number) => boolean;
  readonly random: Random;
  /** Elements of each tensor, from its start, that are also held to the derived bound; it costs objects. */
  readonly boundedElements: number;
  /** The gradients of a tensor; default `random.gradients`. */
  readonly makeGradients?: (length: number, step: number) => Float32Array<ArrayBuffer>;
  /** The initial weights of a tensor; default `random.weights`. */
  readonly makeWeights?: (length: number) => Float32Array<ArrayBuffer>;
}

/** How a run came out that stayed within the bounds. */
export interface ParityResult extends Deviation {
  /** Whether weights and state have the bits of the float32 twin. */
  readonly sameBits: boolean;
}

const USAGE = 0x8c; // STORAGE | COPY_SRC | COPY_DST, as numbers because this file also loads where no GPU is.
const POISON = 0x7fa0_dead; // A signalling NaN: whatever reads or writes what it should not, shows.
const GAP_ELEMENTS = 8;

/** A stretch of a tensor's elements: in which buffer, and from which of its elements on. */
interface Place {
  readonly buffer: number;
  readonly start: number;
}

interface PlacedTensor {
  readonly name: string;
  readonly length: number;
  readonly data: Place;
  readonly grad: Place;
}

/** Lays tensors behind each other with poisoned gaps; gradients in the same buffer follow each tensor's data. */
function place({
  layouts,
  oneBuffer,
  ownBuffers = false,
}: Pick<ParityRun, 'layouts' | 'oneBuffer' | 'ownBuffers'>): { tensors: PlacedTensor[]; elements: number[] } {
  const end: number[] = [];
  const reserve = (buffer: number, length: number, offset: number): Place => {
    const start = Math.ceil(((end[buffer] ?? 0) + GAP_ELEMENTS) / 4) * 4 + offset;
    end[buffer] = start + length;
    return { buffer, start };
  };
  const tensors = layouts.map(({ length, dataOffset, gradOffset }, k) => {
    const first = ownBuffers ? (oneBuffer ? k : 2 * k) : 0;
    return {
      name: `t${k}`,
      length,
      data: reserve(first, length, dataOffset),
      grad: reserve(oneBuffer ? first : first + 1, length, gradOffset),
    };
  });
  return { tensors, elements: end.map((n) => n + GAP_ELEMENTS) };
}

/**
 * Runs a rule on the GPU and as reference on the same inputs and compares weights and state: bit for bit with
 * the float32 twin on SwiftShader, within the derived bound elsewhere; and checks that nothing else was touched.
 *
 * @returns the largest deviation of the weights from float64, and whether the bits are the twin's.
 * @throws Error naming the first element that is not as it should be.
 */
export async function checkParity(run: ParityRun): Promise<ParityResult> {
  const { device, track, steps, random, averages = {}, clip = {}, skipNonFinite = false, stateDtype } = run;
  const kept = stateDtype === undefined ? {} : { stateDtype };
  const rule = withSettings(run.rule, { averages: resolveAverages(averages), ...kept });
  const config = { rule: run.rule, ...averages, ...kept, ...clip, skipNonFinite };
  const makeGradients = run.makeGradients ?? ((length) => random.gradients(length));
  const makeWeights = run.makeWeights ?? ((length) => random.weights(length));
  const { tensors, elements } = place(run);
  const hosts = elements.map((n) => new Float32Array(new Uint32Array(n).fill(POISON).buffer));
  const buffers = hosts.map((host, k) =>
    track(device.createBuffer({ label: `parity ${k}`, size: host.byteLength, usage: USAGE })),
  );
  const weights = tensors.map(({ length, data }) => {
    const values = makeWeights(length);
    hosts[data.buffer]!.set(values, data.start);
    return values;
  });
  const dataBuffers = [...new Set(tensors.map(({ data }) => data.buffer))];
  for (const k of dataBuffers) device.queue.writeBuffer(buffers[k]!, 0, hosts[k]!);
  const bind = ({ buffer, start }: Place, length: number): GPUBufferBinding => ({
    buffer: buffers[buffer]!,
    offset: 4 * start,
    size: 4 * length,
  });
  const params: Parameter[] = tensors.map(({ name, length, data, grad }) => ({
    name,
    data: bind(data, length),
    grad: bind(grad, length),
  }));
  const optimizer = track(await Optimizer.create(device, { ...config, params }));
  const bounds = weights.map(
    (w) => new BoundedRun(rule, boundedPart(rule, w, run.boundedElements, clip), 0, clip),
  );
  const twin = new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: tensors.map(({ name }, k) => ({ name, data: weights[k]! })),
  });
  for (let step = 0; step < steps; step++) {
    const skipped = new Set(tensors.filter((_, k) => run.isSkipped?.(step, k)));
    // Of a tensor that is left out, nobody is to look at the gradient.
    const gradients = tensors.map((tensor) =>
      skipped.has(tensor) ? new Float32Array(tensor.length).fill(NaN) : makeGradients(tensor.length, step),
    );
    for (const [k, tensor] of tensors.entries()) {
      const { grad, length } = tensor;
      hosts[grad.buffer]!.set(gradients[k]!, grad.start);
      device.queue.writeBuffer(buffers[grad.buffer]!, 4 * grad.start, gradients[k]!, 0, length);
      if (skipped.has(tensor)) bounds[k]!.skip();
      else bounds[k]!.step(gradients[k]!);
    }
    const skip = [...skipped].map(({ name }) => name);
    twin.step(gradients, { skip });
    optimizer.step(skip.length > 0 ? { skip } : undefined);
  }
  const exact = isSwiftShader(device);
  const slots = layoutOf(rule).slots.map(({ name }) => name);
  // Read all at once: a browser that polls for mapped buffers makes each wait cost the same.
  const results = tensors.map(async ({ name }) => ({
    weights: await optimizer.readParam(name),
    steps: await optimizer.readState(name, 'step'),
    states: await Promise.all(slots.map((slot) => optimizer.readState(name, slot))),
  }));
  const wholes = dataBuffers.map((k) => readBuffer(device, buffers[k]!));
  let largest: Deviation = { ulp: 0, ofBound: 0 };
  let sameBits = true;
  const compareBits = (got: Float32Array, want: ArrayLike<number>, of: string): void => {
    const difference = bitDifference(got, Float32Array.from(want));
    if (difference === undefined) return;
    if (exact) throw new Error(`${of}: ${difference}`);
    sameBits = false;
  };
  for (const [k, result] of (await Promise.all(results)).entries()) {
    const { name, length, data } = tensors[k]!;
    const what = `${name} (${length} elements)`;
    largest = largerDeviation(largest, checkWithinBound(result.weights, bounds[k]!.weights, what));
    compareBits(result.weights, twin.readParam(name), what);
    hosts[data.buffer]!.set(result.weights, data.start);
    const [made, counted] = [result.steps[0], twin.readState(name, 'step')[0]];
    if (made !== counted) throw new Error(`${what}: ${made} steps were made, want ${counted}`);
    for (const [s, slot] of slots.entries()) {
      const state = result.states[s]!;
      if (bounds[k]!.weights.length > 0)
        checkWithinBound(state, bounds[k]!.state(slot), `${slot} of ${what}`);
      compareBits(state, twin.readState(name, slot), `${slot} of ${what}`);
    }
  }
  // Everything around the weights, poison and gradients alike, must be as it was.
  for (const [k, whole] of (await Promise.all(wholes)).entries()) {
    const expected = new Uint32Array(hosts[dataBuffers[k]!]!.buffer);
    const touched = whole.findIndex((bits, i) => bits !== expected[i]);
    if (touched >= 0) throw new Error(`element ${touched} of a data buffer was touched`);
  }
  return { ...largest, sameBits };
}
