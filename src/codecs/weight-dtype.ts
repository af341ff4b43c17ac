import { OptimizerError, quote } from '../errors.js';
import { bf16 } from './bf16.js';
import type { Codec } from './codec.js';
import { f16 } from './f16.js';
import { f32 } from './f32.js';

/** How weights and gradients may lie in memory, by the names that users give. */
const codecs = { f32, f16, bf16 } satisfies Record<string, Codec>;

/**
 * Element type of a parameter or gradient. `'f16'`, IEEE half precision, and `'bf16'`, the first half of a float32, lie two to a word
 * of 4 bytes, the first one in its low half: as a `Float16Array` of as many elements. Steps are computed in float32.
 */
export type DType = keyof typeof codecs;

const DTYPES = Object.keys(codecs) as readonly DType[];

/**
 * The codec of a dtype; none for float32, which is what lies there unless something is said.
 *
 * @param key of the parameter.
 * @param what the parameter, for errors.
 * @throws OptimizerError `invalid-parameter` for what is no dtype.
 */
export function resolveCodec(dtype: unknown, key: string, what: string): Codec | undefined {
  if (typeof dtype === 'string' && Object.hasOwn(codecs, dtype)) {
    return dtype === 'f32' ? undefined : codecs[dtype as DType];
  }
  const names = DTYPES.map((name) => quote(name)).join(' or ');
  throw new OptimizerError('invalid-parameter', `${what}: ${key} is ${quote(dtype)}; give ${names}.`);
}
