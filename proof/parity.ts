import {
  type AverageOptions,
  type KernelOptions,
  Optimizer,
  type Parameter,
  ReferenceOptimizer,
  type Rule,
} from '../src/index.js';
import { resolveAverages } from '../src/averages/registry.js';
import { type Codec, byteLengthOf, rounded, valuesByteLength } from '../src/codecs/codec.js';
import { f32 } from '../src/codecs/f32.js';
import type { MasterWeights } from '../src/codecs/masters.js';
import type { StateDtype } from '../src/codecs/state-dtype.js';
import { type DType, type GradDType, resolveCodec, resolveGradCodec } from '../src/codecs/weight-dtype.js';
import { withSettings } from '../src/rules/rule.js';
import { layoutOf } from '../src/kernel/rule-layout.js';
import { BoundedRun, type Clips, boundedPart } from './bounded-run.js';
import { type Deviation, bitDifference, checkWithinBound, largerDeviation } from './compare.js';
import type { Track } from './track.js';
import { isSwiftShader } from './adapter.js';
import type { Random } from './random.js';
import { readBuffer } from './read-buffer.js';
import { ruleOfShape } from './rule-of-shape.js';

/** Where a tensor lies: offsets in words from a vec4-aligned place. */
export interface TensorLayout {
  readonly length: number;
  readonly dataOffset: number;
  readonly gradOffset: number;
  /** Lengths of its axes, for rules of matrices. */
  readonly shape?: readonly number[];
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
  /** How weights and gradients lie in memory. Default `'f32'`. */
  readonly dtype?: DType;
  readonly gradDtype?: GradDType;
  /** Of gradients of `'i32'`. */
  readonly gradScale?: number;
  /** What weights are rounded with by chance. Default they are not. */
  readonly seed?: number;
  /** What weights of 2 bytes are copies of. Default they are not. */
  readonly masterWeights?: MasterWeights;
  /** How gradients are clipped. Default not at all. */
  readonly clip?: Clips;
  /** What each step multiplies gradients with, a power of two. Default 1. */
  readonly multiplier?: number;
  /** Whether each step looks for NaN on the GPU before it is made. Default false. */
  readonly skipNonFinite?: boolean;
  /** What of the kernels' shape is not to be chosen. */
  readonly kernel?: KernelOptions;
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
const GAP_BYTES = 32;

/** Where a tensor's elements lie: in which buffer, and from which of its bytes on. */
interface Place {
  readonly buffer: number;
  readonly start: number;
}

interface PlacedTensor {
  readonly name: string;
  readonly length: number;
  readonly shape?: readonly number[];
  readonly data: Place;
  readonly grad: Place;
}

/** Lays tensors behind each other with poisoned gaps; gradients in the same buffer follow each tensor's data. */
function place(
  { layouts, oneBuffer, ownBuffers = false }: Pick<ParityRun, 'layouts' | 'oneBuffer' | 'ownBuffers'>,
  { data: dataCodec, grad: gradCodec }: Codecs,
): { tensors: PlacedTensor[]; sizes: number[] } {
  const end: number[] = [];
  const reserve = (buffer: number, byteLength: number, offset: number): Place => {
    const start = Math.ceil(((end[buffer] ?? 0) + GAP_BYTES) / 16) * 16 + 4 * offset;
    end[buffer] = start + byteLength;
    return { buffer, start };
  };
  const tensors = layouts.map(({ length, dataOffset, gradOffset, shape }, k) => {
    const first = ownBuffers ? (oneBuffer ? k : 2 * k) : 0;
    return {
      name: `t${k}`,
      length,
      ...(shape && { shape }),
      data: reserve(first, byteLengthOf(dataCodec, length), dataOffset),
      grad: reserve(oneBuffer ? first : first + 1, byteLengthOf(gradCodec, length), gradOffset),
    };
  });
  return { tensors, sizes: end.map((n) => n + GAP_BYTES) };
}

/** How weights and gradients lie in memory. */
type Codecs = Readonly<Record<'data' | 'grad', Codec>>;

const codecOf = (dtype: DType = 'f32'): Codec => resolveCodec(dtype, 'dtype', 'parity') ?? f32;

/** Writes values into bytes; what shares the last word with them stays. */
function put(host: Uint8Array, { start }: Place, values: Float32Array<ArrayBuffer>, codec: Codec): void {
  host.set(codec.encode(values).subarray(0, valuesByteLength(codec, values.length)), start);
}

const roundedBy = (codec: Codec, values: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> =>
  rounded(codec, values);

/**
 * Runs a rule on the GPU and as reference on the same inputs and compares weights and state: bit for bit with
 * the float32 twin on SwiftShader, within the derived bound elsewhere; and checks that nothing else was touched.
 *
 * @returns the largest deviation of the weights from float64, and whether the bits are the twin's.
 * @throws Error naming the first element that is not as it should be.
 */
export async function checkParity(run: ParityRun): Promise<ParityResult> {
  const {
    device,
    track,
    steps,
    random,
    averages = {},
    clip = {},
    skipNonFinite = false,
    multiplier = 1,
    stateDtype,
  } = run;
  const kept = {
    ...(stateDtype !== undefined && { stateDtype }),
    ...(run.seed !== undefined && { seed: run.seed }),
    ...(run.masterWeights !== undefined && { masterWeights: run.masterWeights }),
  };
  const rule = withSettings(run.rule, { averages: resolveAverages(averages), ...kept });
  const gradCodec = resolveGradCodec(run.gradDtype ?? 'f32', run.gradScale, 'parity') ?? f32;
  const codecs = { data: codecOf(run.dtype), grad: gradCodec };
  const rounding = run.seed !== undefined && { stochasticRounding: true };
  const config = {
    rule: run.rule,
    ...averages,
    ...kept,
    ...rounding,
    ...clip,
    skipNonFinite,
    gradScale: multiplier,
  };
  const makeGradients = run.makeGradients ?? ((length: number) => random.gradients(length));
  const makeWeights = run.makeWeights ?? ((length: number) => random.weights(length));
  const { tensors, sizes } = place(run, codecs);
  const hosts = sizes.map((size) => new Uint8Array(new Uint32Array(size / 4).fill(POISON).buffer));
  const buffers = hosts.map((host, k) =>
    track(device.createBuffer({ label: `parity ${k}`, size: host.byteLength, usage: USAGE })),
  );
  const weights = tensors.map(({ length, data }) => {
    const values = roundedBy(codecs.data, makeWeights(length));
    put(hosts[data.buffer]!, data, values, codecs.data);
    return values;
  });
  const dataBuffers = [...new Set(tensors.map(({ data }) => data.buffer))];
  for (const k of dataBuffers) device.queue.writeBuffer(buffers[k]!, 0, hosts[k]!);
  const bind = ({ buffer, start }: Place, length: number, codec: Codec): GPUBufferBinding => ({
    buffer: buffers[buffer]!,
    offset: start,
    size: byteLengthOf(codec, length),
  });
  const params: Parameter[] = tensors.map(({ name, length, data, grad, shape }) => ({
    name,
    ...(shape && { shape }),
    data: bind(data, length, codecs.data),
    grad: bind(grad, length, codecs.grad),
    // Ranges are of whole words.
    ...((run.dtype ?? run.gradDtype) !== undefined && { length }),
    ...(run.dtype && { dtype: run.dtype }),
    ...(run.gradDtype && { gradDtype: run.gradDtype }),
    ...(run.gradScale !== undefined && { gradScale: run.gradScale }),
  }));
  const { kernel } = run;
  const optimizer = track(await Optimizer.create(device, { ...config, ...(kernel && { kernel }), params }));
  const ruleOf = ({ shape }: PlacedTensor): Rule => ruleOfShape(rule, shape);
  const bounds = weights.map(
    (w, k) =>
      new BoundedRun(
        ruleOf(tensors[k]!),
        boundedPart(ruleOf(tensors[k]!), w, run.boundedElements, clip),
        0,
        clip,
        {},
        codecs.data,
        tensors[k]!.shape,
      ),
  );
  const twin = new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: tensors.map(({ name, shape }, k) => ({
      name,
      ...(shape && { shape }),
      data: weights[k]!,
      ...(run.dtype && { dtype: run.dtype }),
    })),
  });
  for (let step = 0; step < steps; step++) {
    const skipped = new Set(tensors.filter((_, k) => run.isSkipped?.(step, k)));
    // Of a tensor that is left out, nobody is to look at the gradient.
    const gradients = tensors.map((tensor) =>
      skipped.has(tensor)
        ? new Float32Array(tensor.length).fill(NaN)
        : roundedBy(codecs.grad, makeGradients(tensor.length, step)),
    );
    for (const [k, tensor] of tensors.entries()) {
      const { grad, length } = tensor;
      const host = hosts[grad.buffer]!;
      put(host, grad, gradients[k]!, codecs.grad);
      device.queue.writeBuffer(
        buffers[grad.buffer]!,
        grad.start,
        host,
        grad.start,
        byteLengthOf(codecs.grad, length),
      );
      if (skipped.has(tensor)) bounds[k]!.skip();
      else bounds[k]!.step(gradients[k]!.map((value) => value * multiplier));
    }
    const skip = [...skipped].map(({ name }) => name);
    twin.step(gradients, { skip });
    optimizer.step(skip.length > 0 ? { skip } : undefined);
  }
  const exact = isSwiftShader(device);
  const slotsOf = (tensor: PlacedTensor) => layoutOf(ruleOf(tensor)).slots.map(({ name }) => name);
  // Read all at once: a browser that polls for mapped buffers makes each wait cost the same.
  const results = tensors.map(async (tensor) => ({
    weights: await optimizer.readParam(tensor.name),
    steps: await optimizer.readState(tensor.name, 'step'),
    states: await Promise.all(slotsOf(tensor).map((slot) => optimizer.readState(tensor.name, slot))),
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
    largest = largerDeviation(largest, checkWithinBound(result.weights, bounds[k]!.copies, what));
    compareBits(result.weights, twin.readParam(name), what);
    put(hosts[data.buffer]!, data, result.weights, codecs.data);
    const [made, counted] = [result.steps[0], twin.readState(name, 'step')[0]];
    if (made !== counted) throw new Error(`${what}: ${made} steps were made, want ${counted}`);
    for (const [s, slot] of slotsOf(tensors[k]!).entries()) {
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
