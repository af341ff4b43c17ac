import bf16Wgsl from '../../../shaders/codecs/bf16.wgsl?raw';
import f16Wgsl from '../../../shaders/codecs/f16.wgsl?raw';
import type { DType, StateDtype } from '../../../src/index.js';
import { FEATURES } from './levels.js';

/** Element types of the tables; the network's weights are float32. */
export const tableDtypes = ['f32', 'f16', 'bf16'] as const satisfies readonly DType[];

/** Those of the optimizer's state: others keep more than an entry's two numbers together, and sparse gradients name single ones. */
export const stateDtypes = ['f32', 'bf16'] as const satisfies readonly StateDtype[];

/** How the model's numbers are kept. */
export interface ModelDtypes {
  readonly weights: (typeof tableDtypes)[number];
  readonly state: (typeof stateDtypes)[number];
}

/** All as float32. */
export const FLOATS: ModelDtypes = { weights: 'f32', state: 'f32' };

/** Bytes of a table's entry: of 2-byte numbers, one word. */
export const entryByteLength = (dtype: ModelDtypes['weights']): number =>
  (dtype === 'f32' ? 4 : 2) * FEATURES;

const packing = { f16: f16Wgsl, bf16: bf16Wgsl };

/** WGSL of a table's entry, and its way to features and back. */
export function entryWgsl(dtype: ModelDtypes['weights']): string {
  if (dtype === 'f32') {
    return `alias Entry = vec2<f32>;

fn features_of(entry: Entry) -> vec2<f32> {
  return entry;
}

fn entry_from(features: vec2<f32>) -> Entry {
  return features;
}
`;
  }
  return `${packing[dtype]}
alias Entry = u32;

fn features_of(entry: Entry) -> vec2<f32> {
  return unpack_${dtype}(vec2<u32>(entry, 0u)).xy;
}

fn entry_from(features: vec2<f32>) -> Entry {
  return pack_${dtype}(vec4<f32>(features, 0.0, 0.0)).x;
}
`;
}
