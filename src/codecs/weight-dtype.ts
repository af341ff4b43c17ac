import { OptimizerError, quote } from '../errors.js';
import { fitsFloat32 } from '../float32.js';
import { bf16 } from './bf16.js';
import type { Codec } from './codec.js';
import { f16 } from './f16.js';
import { f32 } from './f32.js';
import { fixedPoint } from './i32.js';

/** How weights and gradients may lie in memory, by the names that users give. */
const codecs = { f32, f16, bf16 } satisfies Record<string, Codec>;

/**
 * Element type of a parameter or gradient. `'f16'`, IEEE half precision, and `'bf16'`, the first half of a float32, lie two to a word
 * of 4 bytes, the first one in its low half: as a `Float16Array` of as many elements. Steps are computed in float32.
 */
export type DType = keyof typeof codecs;

/**
 * Element type of gradients. `'i32'` is fixed point, what backward passes that scatter by `atomicAdd` make, as WebGPU has no float atomics: the
 * integer next to g · `gradScale`, in 4 bytes.
 */
export type GradDType = DType | 'i32';

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
  return refuse(dtype, key, what, DTYPES);
}

/**
 * As {@link resolveCodec}, of gradients.
 *
 * @param gradScale of fixed point; absent: 1.
 * @throws OptimizerError `invalid-parameter` for what is no dtype, and for a scale that is none, or has no effect.
 */
export function resolveGradCodec(dtype: unknown, gradScale: unknown, what: string): Codec | undefined {
  if (dtype !== 'i32') {
    if (gradScale !== undefined) {
      throw new OptimizerError(
        'invalid-parameter',
        `${what}: gradScale is ${quote(gradScale)} with gradDtype ${quote(dtype)}, which has no scale; leave it out, or use gradDtype "i32".`,
      );
    }
    if (typeof dtype !== 'string' || !Object.hasOwn(codecs, dtype)) {
      refuse(dtype, 'gradDtype', what, [...DTYPES, 'i32']);
    }
    return resolveCodec(dtype, 'gradDtype', what);
  }
  const scale = gradScale === undefined ? 1 : gradScale;
  if (typeof scale === 'number' && scale > 0 && [scale, 1 / scale].every(fitsFloat32))
    return fixedPoint(scale);
  throw new OptimizerError(
    'invalid-parameter',
    `${what}: gradScale is ${quote(gradScale)}; give what gradients were multiplied with: a finite number > 0 that float32 can hold, and its ` +
      'reciprocal, too.',
  );
}

function refuse(dtype: unknown, key: string, what: string, known: readonly string[]): never {
  const names = known.map((name) => quote(name)).join(' or ');
  throw new OptimizerError('invalid-parameter', `${what}: ${key} is ${quote(dtype)}; give ${names}.`);
}
