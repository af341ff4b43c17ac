import { AVERAGE_OPTION_NAMES, type AverageOptions, resolveAverages } from '../averages/registry.js';
import { resolveGroups } from '../engine/input/config.js';
import {
  GRADIENT_OPTION_NAMES,
  type GradientOptions,
  type ResolvedGradientOptions,
  resolveGradientOptions,
} from '../engine/input/gradient-options.js';
import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import { type Rule, withAverages } from '../rules/rule.js';
import type { ReferenceSparseGradient } from './sum-rows.js';

/** Numbers in the CPU's memory. */
export type NumericArray = Float32Array | Float64Array;

/** One tensor on the CPU. */
export interface ReferenceParameter {
  /** Unique name. Default `param0`, `param1`, … by position over all groups. */
  name?: string;
  /** The weights; updated in place after each step, rounded to the array's type. */
  data: NumericArray;
  /** The gradients that `step()` takes when it is given none. */
  grad?: ReferenceGradient;
  /** Elements per row of the table, if the gradients are sparse: `{ indices, values }`; only for these. */
  rowLength?: number;
}

/** What `new ReferenceOptimizer` takes: an optimizer's config with arrays in place of buffers. */
export interface ReferenceConfig extends GradientOptions, AverageOptions {
  /** The rule, e.g. `adam({ lr: 1e-3 })`. */
  rule: Rule;
  /** The parameters. Give these or `groups`. */
  params?: readonly ReferenceParameter[];
  /** Groups of parameters, each with options that replace the rule's. Give these or `params`. */
  groups?: readonly { params: readonly ReferenceParameter[]; [option: string]: unknown }[];
  /**
   * `'f64'` (default) computes in float64. `'f32'` is the twin of the kernels: float32 rounded after every
   * operation, subnormals flushed to zero, equal bit for bit to an adapter that rounds correctly and flushes.
   */
  precision?: 'f64' | 'f32';
}

/** The gradient of one parameter: of all elements, or of some rows of a table. */
export type ReferenceGradient = ArrayLike<number> | ReferenceSparseGradient;

/** Gradients of one step: one per parameter, in their order or by name. */
export type ReferenceGradients = readonly ReferenceGradient[] | Readonly<Record<string, ReferenceGradient>>;

/** A checked config. */
export interface ResolvedReferenceConfig {
  readonly precision: 'f64' | 'f32';
  readonly gradients: ResolvedGradientOptions;
  /** Per group, its rule with the averages, and its parameters, each under a name of its own. */
  readonly groups: readonly {
    readonly rule: Rule;
    readonly params: readonly (ReferenceParameter & { readonly name: string })[];
  }[];
}

/** @throws OptimizerError on unknown keys and options, a wrong precision, and names given twice. */
export function resolveReferenceConfig(config: ReferenceConfig): ResolvedReferenceConfig {
  const known = ['rule', 'params', 'groups', 'precision', ...GRADIENT_OPTION_NAMES, ...AVERAGE_OPTION_NAMES];
  rejectUnknownKeys(config, known, 'config', 'invalid-config');
  const gradients = resolveGradientOptions(config);
  const { precision = 'f64' } = config;
  if (precision !== 'f64' && precision !== 'f32') {
    throw new OptimizerError('invalid-config', `precision is ${quote(precision)}; give 'f64' or 'f32'.`);
  }
  const rule = withAverages(config.rule, resolveAverages(config));
  let index = 0;
  const named = (parameter: ReferenceParameter) => {
    const defaultName = `param${index++}`;
    return { ...parameter, name: parameter.name ?? defaultName };
  };
  const groups = resolveGroups({ ...config, rule }).map((group) => ({
    rule: group.rule,
    params: group.params.map(named),
  }));
  const names = groups.flatMap(({ params }) => params.map(({ name }) => name));
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) {
    throw new OptimizerError(
      'invalid-parameter',
      `two parameters are named ${quote(twice)}; name each its own.`,
    );
  }
  return { precision, gradients, groups };
}
