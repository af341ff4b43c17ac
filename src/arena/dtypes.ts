import type { Codec } from '../codecs/codec.js';
import { type DType, type GradDType, resolveCodec, resolveGradCodec } from '../codecs/weight-dtype.js';
import { f32 } from '../codecs/f32.js';
import { elementByteLengthOf } from '../plan/pieces.js';

/** How the numbers of a tensor lie in memory. Those of different dtypes lie in different buffers. */
export interface ArenaDTypes {
  /** Element type of the weights; default `'f32'`. Those of 2 bytes begin as the float32 ones do, rounded to the nearest. */
  dtype?: DType;
  /** Element type of the gradients; default `'f32'`. */
  gradDtype?: GradDType;
  /** Of gradients of `'i32'`: what they were multiplied with before they were rounded to integers; an arena's is for its tensors of `'i32'`. Default 1. */
  gradScale?: number;
}

/** Names of these options. */
export const DTYPE_KEYS = ['dtype', 'gradDtype', 'gradScale'] satisfies (keyof ArenaDTypes)[];

type Given = Readonly<Partial<Record<keyof ArenaDTypes, unknown>>>;

/** The checked ones: tensors whose numbers lie in the same way have the same codecs. */
export interface TensorKind {
  readonly data: Codec;
  readonly grad: Codec;
  /** The options, as a parameter has them; without what is not said. */
  readonly options: ArenaDTypes;
}

/**
 * Checks the dtypes of a tensor.
 *
 * @param arena what counts where the tensor says nothing; its scale is for tensors that have its `gradDtype`.
 * @param what names the tensor in errors.
 * @throws OptimizerError `invalid-parameter`.
 */
export function resolveKind(tensor: Given, arena: Given, what: string): TensorKind {
  const dtype = tensor.dtype ?? arena.dtype;
  const gradDtype = tensor.gradDtype ?? arena.gradDtype;
  const gradScale = tensor.gradScale ?? (gradDtype === arena.gradDtype ? arena.gradScale : undefined);
  const codec = dtype === undefined ? undefined : resolveCodec(dtype, 'dtype', what);
  const gradCodec = resolveGradCodec(gradDtype ?? 'f32', gradScale, what);
  return {
    data: codec ?? f32,
    grad: gradCodec ?? f32,
    options: {
      ...(codec && { dtype: dtype as DType }),
      ...(gradCodec && { gradDtype: gradDtype as GradDType }),
      ...(gradScale !== undefined && { gradScale: gradScale as number }),
    },
  };
}

/** Bytes of a number of weights or gradients. */
export const numberByteLength = (codec: Codec): number => elementByteLengthOf({ codec });
