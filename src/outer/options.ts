import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { copyGiven } from '../given.js';
import { type MomentumOptions, momentum } from '../rules/momentum.js';
import type { Rule } from '../rules/rule.js';
import { type Compress, type DeltaFormat, resolveCompress } from './deltas/compress.js';
import { isSampleCount } from './deltas/delta.js';
import type { DeltaOptions, SnapshotOptions } from './outer-peer.js';

/** What `OuterOptimizer.create` takes beside the optimizer. */
export interface OuterOptions {
  /** The rule that steps the anchor; Δ stands for its gradient. Default {@link nesterov}. */
  readonly rule?: Rule;
  /** Steps of the optimizer between two rounds, an integer ≥ 1: `isDue` goes by it. */
  readonly every: number;
  /** How deltas are written; see {@link Compress}. Default `'none'`. */
  readonly compress?: Compress;
  /** Prefix of the labels of all GPU objects. Default `'webgpu-optim outer'`. */
  readonly label?: string;
}

/**
 * The rule of outer steps of DiLoCo (Douillard et al. 2023, arXiv 2311.08105): momentum in Nesterov's form, which looks ahead.
 *
 *     m ← βm + Δ;   anchor ← anchor − η(Δ + βm)
 *
 * Of a constant Δ the first step is η(1+β)Δ, where heavy ball makes ηΔ.
 *
 * @param options `lr` η, default 0.7, and `momentum` β, default 0.9; see {@link MomentumOptions} for the others.
 */
export const nesterov = (options: Omit<MomentumOptions, 'nesterov' | 'lrInVelocity'> = {}) =>
  momentum({ lr: 0.7, momentum: 0.9, ...options, nesterov: true, lrInVelocity: false });

/** Checked options. */
export interface ResolvedOuterOptions {
  readonly rule: Rule;
  readonly every: number;
  readonly format: DeltaFormat;
  readonly label: string;
}

const KEYS = ['rule', 'every', 'compress', 'label'] satisfies (keyof OuterOptions)[];

/** @throws OptimizerError `invalid-config`. */
export function resolveOuterOptions(given: unknown, call: string): ResolvedOuterOptions {
  const fail = (message: string): never => {
    throw new OptimizerError('invalid-config', `${call}: ${message}`);
  };
  if (!isRecord(given)) return fail(`the options are ${quote(given)}; give { rule, every, compress }.`);
  const options = copyGiven(given, KEYS);
  rejectUnknownKeys(options, KEYS, call, 'invalid-config');
  const { rule = nesterov(), every, compress = 'none', label = 'webgpu-optim outer' } = options;
  if (!Number.isSafeInteger(every) || (every as number) < 1) {
    fail(`every is ${quote(every)}; give the steps between two rounds, an integer from 1.`);
  }
  if (typeof label !== 'string') fail(`label is ${quote(label)}; give a string.`);
  const format = resolveCompress(compress, `${call}: compress`);
  // The optimizer of the anchor says what is wrong with a rule.
  return { rule, every, format, label } as ResolvedOuterOptions;
}

/** @throws OptimizerError `invalid-config`. */
export function resolveDeltaOptions(given: unknown, call: string): { samples: number; peer?: string } {
  const { samples = 1, peer } = optionsOf(given, ['samples', 'peer'] satisfies (keyof DeltaOptions)[], call);
  if (!isSampleCount(samples)) {
    throw new OptimizerError(
      'invalid-config',
      `${call}: samples is ${quote(samples)}; give a finite number > 0.`,
    );
  }
  if (peer !== undefined && (typeof peer !== 'string' || peer === '')) {
    throw new OptimizerError(
      'invalid-config',
      `${call}: peer is ${quote(peer)}; give a name, or leave it out.`,
    );
  }
  return { samples, ...(peer !== undefined && { peer }) };
}

/** @throws OptimizerError `invalid-config`. */
export function resolveSnapshotOptions(given: unknown, call: string): Required<SnapshotOptions> {
  const keys = ['keepProgress', 'isDeltaTaken'] as const satisfies readonly (keyof SnapshotOptions)[];
  const { keepProgress = false, isDeltaTaken = true } = optionsOf(given, keys, call);
  const checked = { keepProgress, isDeltaTaken };
  for (const key of keys) {
    if (typeof checked[key] === 'boolean') continue;
    throw new OptimizerError(
      'invalid-config',
      `${call}: ${key} is ${quote(checked[key])}; give true or false.`,
    );
  }
  return checked as Required<SnapshotOptions>;
}

function optionsOf(given: unknown, keys: readonly string[], call: string): Record<string, unknown> {
  if (given === undefined) return {};
  if (!isRecord(given)) {
    throw new OptimizerError(
      'invalid-config',
      `${call}: the options are ${quote(given)}; give { ${keys.join(', ')} }.`,
    );
  }
  const options = copyGiven(given, keys);
  rejectUnknownKeys(options, keys, call, 'invalid-config');
  return options;
}
