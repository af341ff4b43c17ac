import type { Codec } from '../../../codecs/codec.js';
import { MASTER_WEIGHTS, type MasterWeights, mastersOf } from '../../../codecs/masters.js';
import { OptimizerError, quote } from '../../../errors.js';
import { type Rule, withoutMasters } from '../../../rules/rule.js';

/** How weights of 2 bytes are kept more exactly. */
export interface MasterOptions {
  /**
   * Weights of 2 bytes are the rounded copies of more exact ones, which the optimizer keeps: it steps these, so that small steps add up,
   * and writes the copies in the same pass. `'f32'`: as float32, 4 bytes more per element, in the slot `master`. `'split'`, for `'bf16'`: what
   * rounding took from them, 1 byte more per element, in the slot `correction`: weights of 16 bits of precision, off by up to 2⁻¹⁶ of
   * themselves at each step. Groups whose weights are all float32 have none; of others, all weights are of 2 bytes.
   *
   * Whoever writes weights into the buffers, at any time, sets them. With `'f32'` a step sees it: a float32 that is not
   * rounded to what lies there counts no more. With `'split'` what is written is off by up to half of its last digit, unless
   * `resetState({ slots: ['correction'] })` is called. So a state dict never changes weights: load those that it was saved with.
   *
   * Default: weights are what their copies say.
   */
  masterWeights?: MasterWeights;
}

/** Names of these options. */
export const MASTER_KEYS = ['masterWeights'] satisfies (keyof MasterOptions)[];

/** A parameter, as far as it says how its weights are kept. */
interface KeptWeights {
  readonly name: string;
  /** If not as float32. */
  readonly codec: Codec | undefined;
}

/**
 * Checks them in a config; its other keys are ignored.
 *
 * @throws OptimizerError `invalid-config`.
 */
export function resolveMasters(config: Readonly<Record<string, unknown>>): Pick<Rule, 'masterWeights'> {
  const { masterWeights, stochasticRounding } = config;
  if (masterWeights === undefined) return {};
  if (!MASTER_WEIGHTS.includes(masterWeights as MasterWeights)) {
    const names = MASTER_WEIGHTS.map((name) => quote(name)).join(' or ');
    fail(`masterWeights is ${quote(masterWeights)}; give ${names}, or leave it out.`);
  }
  if (stochasticRounding === true) {
    fail(
      `masterWeights is ${quote(masterWeights)} with stochasticRounding: true, which exact weights do not need; leave one of them out.`,
    );
  }
  return { masterWeights: masterWeights as MasterWeights };
}

/** @throws OptimizerError `invalid-config` if masters are wanted, and all weights are float32. */
export function rejectIdleMasters({ masterWeights }: Rule, isAnyRounded: boolean): void {
  if (masterWeights === undefined || isAnyRounded) return;
  fail(
    `masterWeights is ${quote(masterWeights)}, but all weights are float32; leave it out, or give parameters a dtype "f16" or "bf16".`,
  );
}

/**
 * The rule that a group is stepped by: without masters where its weights are all float32.
 *
 * @throws OptimizerError `invalid-parameter` for weights that cannot be kept so.
 */
export function withFitMasters(rule: Rule, parameters: readonly KeptWeights[]): Rule {
  const { masterWeights } = rule;
  if (masterWeights === undefined) return rule;
  const floats = parameters.find(({ codec }) => !codec);
  if (floats && parameters.every(({ codec }) => !codec)) return withoutMasters(rule);
  if (floats) {
    failParameter(
      `parameter ${quote(floats.name)} has float32 weights in a group of weights of 2 bytes, for which masterWeights ${quote(masterWeights)} keeps more; ` +
        'give it a group of its own.',
    );
  }
  const { dtypes } = mastersOf(masterWeights);
  const other = parameters.find(({ codec }) => !dtypes.includes(codec!.name));
  if (other) {
    failParameter(
      `parameter ${quote(other.name)} has weights of ${quote(other.codec!.name)}, and masterWeights ${quote(masterWeights)} takes ${dtypes.map((name) => quote(name)).join(' or ')}; ` +
        'use masterWeights "f32".',
    );
  }
  return rule;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}

function failParameter(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
