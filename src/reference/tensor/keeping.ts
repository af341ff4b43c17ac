import type { Codec } from '../../codecs/codec.js';
import { philox } from '../../codecs/philox.js';
import { type GradDType, resolveGradCodec } from '../../codecs/weight-dtype.js';
import { OptimizerError, quote } from '../../errors.js';
import { streamOf } from '../../random-stream.js';

const identity = (value: number): number => value;

/** What of a value is there when it is loaded again; where all float32 are kept, float64 are, too. */
export const keeping = (codec: Codec): ((value: number) => number) =>
  codec.round ? (value) => codec.round!(value) : identity;

/** Whether a number is finite, and infinite when it is rounded; never, where that is not counted. */
export function overflows({ overflowsFrom = Infinity }: Codec, value: number): boolean {
  const magnitude = Math.abs(Math.fround(value));
  return magnitude >= overflowsFrom && magnitude < Infinity;
}

/** What of a weight is there behind a step; `t` is the step's 1-based count. */
export type WeightKeeper = (value: number, element: number, t: number) => number;

/**
 * How the weights of a parameter are kept: rounded to the nearest, or by random words that follow from the seed, its name, the
 * step and the element alone, as `random_words` in src/kernel/step-kernel.ts makes them.
 */
export function keeperOf(codec: Codec, seed: number | undefined, name: string): WeightKeeper {
  const { random } = codec;
  if (seed === undefined || !random) return keeping(codec);
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)] as const;
  const [low, high] = streamOf(name);
  // One call makes those of four elements.
  let last: { readonly lane: number; readonly t: number; readonly words: readonly number[] } | undefined;
  return (value, element, t) => {
    const lane = Math.floor(element / 4);
    if (last?.lane !== lane || last.t !== t) last = { lane, t, words: philox([lane, t, low, high], key) };
    return random.round(value, last.words[element % 4]!);
  };
}

/**
 * How the gradients of a parameter are read.
 *
 * @param isSingle whether they become float32.
 * @param what the gradient, for errors.
 */
export function gradientReader(
  gradDtype: GradDType,
  gradScale: number | undefined,
  isSingle: boolean,
  what: string,
): (values: ArrayLike<number>) => ArrayLike<number> {
  if (gradDtype === 'f32') return (values) => values;
  if (gradDtype !== 'i32') {
    const keep = keeping(resolveGradCodec(gradDtype, undefined, what)!);
    return (values) => Array.from(values, keep);
  }
  const { fround } = Math;
  const scale = gradScale ?? 1;
  const step = fround(1 / scale);
  return (values) =>
    Array.from(values, (value, k) => {
      if ((value | 0) !== value) {
        throw new OptimizerError(
          'invalid-parameter',
          `${what}: value ${k} is ${quote(value)}; give integers of 32 bits, as gradDtype "i32" says.`,
        );
      }
      return isSingle ? fround(fround(value) * step) : value / scale;
    });
}
