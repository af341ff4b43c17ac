import { Optimizer, type Parameter, sgd } from '../../src/index.js';
import { OuterOptimizer, type OuterOptions, ReferenceOuterOptimizer } from '../../src/outer/index.js';
import { bitDifference } from '../../proof/compare.js';
import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { f16 } from '../../src/codecs/f16.js';
import { f32 } from '../../src/codecs/f32.js';

const codecs = { f32, bf16, f16 };

/** A peer on the GPU and its twin, whose weights are written to both. */
export interface OuterPair {
  readonly optimizer: Optimizer;
  readonly outer: OuterOptimizer;
  readonly twin: ReferenceOuterOptimizer;
  /** Other weights for both, as steps would make them: some of them as they are. */
  train(random: Random): Promise<void>;
  /** The twin's weights of a parameter. */
  twinWeights(name: string): Float32Array<ArrayBuffer>;
  /** What differs between the weights of both, if anything does. */
  difference(): Promise<string | undefined>;
}

export interface OuterPairOptions extends Omit<OuterOptions, 'every'> {
  readonly sizes: readonly number[];
  readonly dtype?: 'f32' | 'f16' | 'bf16';
  /** What keeps weights of 2 bytes more exactly: the twin has them in float32 then. */
  readonly masterWeights?: 'f32' | 'split';
  /** Elements before the first parameter, and between two: of all parameters in one buffer. Default: a buffer each. */
  readonly gap?: number;
  /** First weights; default random ones. */
  readonly initial?: (name: string, elementCount: number) => Float32Array<ArrayBuffer>;
}

/** Makes both. */
export async function makeOuterPair(
  device: GPUDevice,
  track: Track,
  random: Random,
  { sizes, dtype = 'f32', masterWeights, gap, initial, ...options }: OuterPairOptions,
): Promise<OuterPair> {
  const codec = codecs[dtype];
  const bytesOf = (count: number): number => Math.ceil(count / codec.blockLength) * codec.blockByteLength;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const named = sizes.map((elementCount, k) => ({ name: `w${k}`, elementCount }));
  let end = 0;
  const offsets = named.map(({ elementCount }) => {
    const begin = end + 4 * (gap ?? 0);
    end = begin + Math.max(bytesOf(elementCount), 4);
    return begin;
  });
  const make = (label: string, size: number) =>
    track(device.createBuffer({ label, size: Math.max(size, 4), usage }));
  const shared = gap === undefined ? undefined : make('weights', end);
  const grads = make('gradients', 4 * Math.max(1, ...sizes));
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  const places = named.map(({ name, elementCount }, k) => {
    const offset = shared ? offsets[k]! : 0;
    const data = shared ?? make(name, bytesOf(elementCount));
    return { name, elementCount, data, offset, size: Math.max(bytesOf(elementCount), 4) };
  });
  const write = (name: string, values: Float32Array<ArrayBuffer>): void => {
    const { data, offset } = places.find((place) => place.name === name)!;
    const bytes = codec.encode(values);
    if (bytes.byteLength > 0) device.queue.writeBuffer(data, offset, bytes);
    weights.set(name, codec.decode(bytes.buffer, values.length));
  };
  const kept = (name: string): Float32Array<ArrayBuffer> => weights.get(name)!;
  for (const { name, elementCount } of places)
    write(name, initial?.(name, elementCount) ?? random.weights(elementCount));
  const params = places.map(({ name, elementCount, data, offset, size }): Parameter => ({
    name,
    length: elementCount,
    dtype,
    data: { buffer: data, offset, size },
    grad: { buffer: grads, size: Math.max(4 * elementCount, 4) },
  }));
  const optimizer = track(
    await Optimizer.create(device, { rule: sgd({ lr: 0 }), params, ...(masterWeights && { masterWeights }) }),
  );
  const outer = track(await OuterOptimizer.create(optimizer, { ...options, every: 1 }));
  const arrays = places.map(({ name }) => ({
    name,
    data: kept(name).slice(),
    dtype: masterWeights ? ('f32' as const) : dtype,
  }));
  const twin = new ReferenceOuterOptimizer(arrays, { ...options, every: 1 });
  return {
    optimizer,
    outer,
    twin,
    twinWeights: (name) => arrays.find((array) => array.name === name)!.data,
    train: async (source) => {
      const all = await Promise.all(arrays.map(({ name }) => optimizer.readParam(name)));
      for (const [k, { name, data }] of arrays.entries()) {
        const next = all[k]!.map((value) =>
          source.uniform() < 0.2
            ? value
            : value + (source.uniform() - 0.5) * 10 ** (4 * source.uniform() - 4),
        );
        write(name, next);
        // Where the copy is what it was, what is kept more exactly counts.
        kept(name).forEach((value, at) => {
          if (!masterWeights || !Object.is(value, all[k]![at])) data[at] = value;
        });
      }
    },
    difference: async () => {
      const all = await Promise.all(arrays.map(({ name }) => optimizer.readParam(name)));
      for (const [k, { name, data }] of arrays.entries()) {
        const difference = bitDifference(all[k]!, codec.decode(codec.encode(data).buffer, data.length));
        if (difference) return `${name}: ${difference}`;
      }
      return undefined;
    },
  };
}

/** The first byte that two files do not have in common. */
export function differingByte(a: Uint8Array, b: Uint8Array): number | undefined {
  const k = a.findIndex((byte, at) => byte !== b[at]);
  if (k >= 0) return k;
  return a.length === b.length ? undefined : a.length;
}
