import { OptimizerError, quote } from '../errors.js';
import { bf16 } from './bf16.js';
import { int4, int4Positive, int8, int8Positive } from './blocks.js';
import type { Codec } from './codec.js';
import { correction } from './correction.js';
import { f16 } from './f16.js';
import { f32 } from './f32.js';

/** How a rule's state may be kept, by the names that users give: of either sign, and where it is never below 0. */
const codecs = {
  f32: [f32, f32],
  bf16: [bf16, bf16],
  int8: [int8, int8Positive],
  int4: [int4, int4Positive],
} satisfies Record<string, readonly [Codec, Codec]>;

/** How the state that a rule keeps per element lies in memory; see `OptimizerSettings.stateDtype`. */
export type StateDtype = keyof typeof codecs;

export const STATE_DTYPES = Object.keys(codecs) as readonly StateDtype[];

/** @param isNonNegative whether it is of a slot that is never below 0. */
export const stateCodec = (dtype: StateDtype, isNonNegative = false): Codec =>
  codecs[dtype][isNonNegative ? 1 : 0];

/** @throws OptimizerError `invalid-config` for what is none of them. */
export function checkStateDtype(given: unknown): StateDtype {
  if (given === undefined) return 'f32';
  if (typeof given === 'string' && Object.hasOwn(codecs, given)) return given as StateDtype;
  const names = STATE_DTYPES.map((name) => quote(name)).join(' or ');
  throw new OptimizerError('invalid-config', `stateDtype is ${quote(given)}; give ${names}.`);
}

const all = new Map<string, Codec>(
  [...Object.values(codecs).flat(), f16, correction].map((codec) => [codec.name, codec]),
);

/** All that keep something between steps, weights among it. */
export const KEEPING_CODECS: readonly Codec[] = [...all.values()];

export const codecOfName = (name: string): Codec | undefined => all.get(name);
