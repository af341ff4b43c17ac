import correctedWgsl from '../../shaders/codecs/corrected-bf16.wgsl?raw';
import type { Codec } from './codec.js';
import { correctedWeight, correction, correctionOf } from './correction.js';
import { f32 } from './f32.js';

/**
 * How weights of 2 bytes are kept more exactly beside the copy that is the caller's: what a slot keeps, and how a weight follows from it
 * and the copy. Of a slot of zeros, weights are the copies.
 */
export interface Masters {
  /** The slot, one number per element; named as no rule's own. */
  readonly slot: string;
  readonly codec: Codec;
  /** The dtypes of weights that it takes. */
  readonly dtypes: readonly string[];
  /** Functions that its WGSL calls, beside those of the copies' codec. */
  readonly wgsl: string;
  /** WGSL: the expression of a lane of weights, from the bits of the copies as float32 and from what is kept; and back. */
  weight(copy: string, kept: string, dtype: string): string;
  kept(weight: string): string;
  /** The same of one number. */
  weightOf(copy: number, kept: number, dtype: Codec): number;
  keptOf(weight: number): number;
}

const all = {
  // As long as the copy is what the weight was rounded to: else somebody else wrote it, and it counts.
  f32: {
    slot: 'master' as const,
    codec: f32,
    dtypes: ['f16', 'bf16'],
    wgsl: '',
    weight: (copy, kept, dtype) =>
      `select(bitcast<lane>(${copy}), ${kept}, bits_of_${dtype}(pack_${dtype}(${kept})) == ${copy})`,
    kept: (weight) => weight,
    weightOf: (copy, kept, dtype) => (Object.is(dtype.round!(kept), copy) ? kept : copy),
    keptOf: (weight) => weight,
  },
  split: {
    slot: 'correction' as const,
    codec: correction,
    dtypes: ['bf16'],
    wgsl: correctedWgsl,
    weight: (copy, kept) => `corrected_weight(${copy}, ${kept})`,
    kept: (weight) => `correction_of(${weight})`,
    weightOf: correctedWeight,
    keptOf: correctionOf,
  },
} satisfies Record<string, Masters>;

/** How weights of 2 bytes are kept more exactly; see `OptimizerSettings.masterWeights`. */
export type MasterWeights = keyof typeof all;

export const MASTER_WEIGHTS = Object.keys(all) as readonly MasterWeights[];

/** Their state slots. */
export type MasterSlot = (typeof all)[MasterWeights]['slot'];

export const mastersOf = (name: MasterWeights): Masters => all[name];

/** Names of their slots. */
export const MASTER_SLOTS: readonly string[] = Object.values(all).map(({ slot }) => slot);
