import { OptimizerError, quote } from '../errors.js';
import { bf16 } from './bf16.js';
import type { Codec } from './codec.js';
import { f32 } from './f32.js';

/** How a rule's state may be kept, by the names that users give. */
const codecs = { f32, bf16 } satisfies Record<string, Codec>;

/** How the state that a rule keeps per element lies in memory; see `OptimizerSettings.stateDtype`. */
export type StateDtype = keyof typeof codecs;

export const STATE_DTYPES = Object.keys(codecs) as readonly StateDtype[];

/** The codec of a dtype of safetensors, if state may be kept so. */
export const codecOfDtype = (dtype: string): Codec | undefined =>
  Object.values(codecs).find((codec) => codec.dtype === dtype);

export const stateCodec = (dtype: StateDtype): Codec => codecs[dtype];

/** @throws OptimizerError `invalid-config` for what is none of them. */
export function checkStateDtype(given: unknown): StateDtype {
  if (given === undefined) return 'f32';
  if (typeof given === 'string' && Object.hasOwn(codecs, given)) return given as StateDtype;
  const names = STATE_DTYPES.map((name) => quote(name)).join(' or ');
  throw new OptimizerError('invalid-config', `stateDtype is ${quote(given)}; give ${names}.`);
}
