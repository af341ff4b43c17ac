import { type DType, type GradDType, resolveCodec, resolveGradCodec } from '../codecs/weight-dtype.js';
import { partGroup, resolveGroups, resolveRule } from '../engine/input/groups.js';
import {
  GRADIENT_OPTION_NAMES,
  type GradientOptions,
  type ResolvedGradientOptions,
  resolveGradientOptions,
} from '../engine/input/options/gradient-options.js';
import {
  type MasterOptions,
  rejectIdleMasters,
  withFitMasters,
} from '../engine/input/options/master-options.js';
import { type RoundingOptions, rejectIdleRounding } from '../engine/input/options/rounding-options.js';
import type { RowOptions } from '../engine/input/parameter/row-options.js';
import {
  RULE_SETTING_KEYS,
  type StateOptions,
  rejectIdleStateDtype,
  resolveRuleSettings,
} from '../engine/input/options/state-options.js';
import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { copyGiven } from '../given.js';
import { type Rule, type RuleOverrides, withSettings } from '../rules/rule.js';
import { type NumericArray, isNumericArray } from './arithmetic/numbers.js';
import type { ReferenceSparseGradient } from './tensor/sum-rows.js';

/** One tensor on the CPU. */
export interface ReferenceParameter extends RowOptions {
  /** Unique name. Default `param0`, `param1`, … by position over all groups. */
  name?: string;
  /** The weights; updated in place after each step, rounded to the array's type. */
  data: NumericArray;
  /** The gradients that `step()` takes when it is given none; the arrays are read at each step. */
  grad?: ReferenceGradient;
  /**
   * How the weights are kept: `'f16'` and `'bf16'` round them to the nearest, at first and behind each step, whatever the array's type;
   * default `'f32'`.
   */
  dtype?: DType;
  /**
   * How gradients are read: `'f16'` and `'bf16'` round them to the nearest; with `'i32'` they are integers, which are divided by `gradScale`.
   * Default `'f32'`.
   */
  gradDtype?: GradDType;
  /** What gradients of `'i32'` were multiplied with, > 0. Default 1. */
  gradScale?: number;
  /** Elements per row, an integer ≥ 1 that divides the tensor; sparse gradients, `{ indices, values }`, need it. */
  rowLength?: number;
  /** Lengths of its axes, integers ≥ 1, as `Parameter.shape`. */
  shape?: readonly number[];
  /** A number per row: rows at 0 are left alone by each step; read at each step. For dense gradients, with `rowLength`. */
  rowMask?: ArrayLike<number>;
}

interface ReferenceMembers {
  params: readonly ReferenceParameter[];
}

/** A group of the rule of what is no matrix. */
type ReferenceOthers<R extends Rule> = R extends { readonly others: infer T extends Rule }
  ? RuleOverrides<T> & ReferenceMembers & { others: true }
  : never;

/** What `new ReferenceOptimizer` takes: an optimizer's config with arrays in place of buffers. */
export interface ReferenceConfig<R extends Rule = Rule>
  extends GradientOptions, StateOptions, RoundingOptions, MasterOptions {
  /** The rule, e.g. `adam({ lr: 1e-3 })`. */
  rule: R;
  /** The parameters. Give these or `groups`. */
  params?: readonly ReferenceParameter[];
  /** Groups of parameters, each with options that replace the rule's. Give these or `params`. */
  groups?: readonly ((RuleOverrides<NoInfer<R>> & ReferenceMembers) | ReferenceOthers<R>)[];
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

/** A parameter with its name, checked. */
export type NamedParameter = Readonly<ReferenceParameter> & { readonly name: string };

/** A checked config, of which only the arrays are the caller's. */
export interface ResolvedReferenceConfig {
  readonly precision: 'f64' | 'f32';
  /** Of the config's rule. */
  readonly ruleName: string;
  readonly gradients: ResolvedGradientOptions;
  /** Names of the parameters as they were given, whatever groups they are in. */
  readonly names: readonly string[];
  /** Per group, its rule with the averages, and its parameters, each under a name of its own. */
  readonly groups: readonly { readonly rule: Rule; readonly params: readonly NamedParameter[] }[];
}

const CONFIG_KEYS = ['rule', 'params', 'groups', 'precision', ...GRADIENT_OPTION_NAMES, ...RULE_SETTING_KEYS];

/**
 * Checks a config and takes it over: what the caller changes in it later has no effect.
 *
 * @throws OptimizerError on unknown keys and options, and a wrong precision.
 */
export function resolveReferenceConfig(given: unknown): ResolvedReferenceConfig {
  if (!isRecord(given)) {
    throw new OptimizerError('invalid-config', `the config is ${quote(given)}; give { rule, params }.`);
  }
  const config = copyGiven(given, CONFIG_KEYS);
  rejectUnknownKeys(config, CONFIG_KEYS, 'config', 'invalid-config');
  const { precision = 'f64', rule, params, groups } = config;
  if (precision !== 'f64' && precision !== 'f32') {
    throw new OptimizerError('invalid-config', `precision is ${quote(precision)}; give 'f64' or 'f32'.`);
  }
  const gradients = resolveGradientOptions(config);
  let index = 0;
  const plain = resolveRule(rule);
  const whole = withSettings(plain, resolveRuleSettings(config));
  const named = resolveGroups<ReferenceParameter>(whole, { params, groups }).map((group) => ({
    ...group,
    params: group.params.map((parameter) => resolveParameter(parameter, index++)),
  }));
  const resolved = named.flatMap(partGroup).map((group) => ({
    rule: withFitMasters(group.rule, group.params.map(keptWeightsOf)),
    params: group.params,
  }));
  rejectIdleStateDtype(resolved.map((group) => group.rule));
  const all = resolved.flatMap((group) => group.params);
  const isAnyRounded = all.some(({ dtype = 'f32' }) => dtype !== 'f32');
  rejectIdleRounding(whole, isAnyRounded);
  rejectIdleMasters(whole, isAnyRounded);
  const names = named.flatMap((group) => group.params.map(({ name }) => name));
  return { precision, ruleName: whole.name, gradients, names, groups: resolved };
}

const keptWeightsOf = ({ name, dtype = 'f32' }: NamedParameter) => ({
  name,
  codec: resolveCodec(dtype, 'dtype', `parameter ${quote(name)}`),
});

const PARAMETER_KEYS = [
  'name',
  'data',
  'grad',
  'dtype',
  'gradDtype',
  'gradScale',
  'rowLength',
  'rowMask',
  'shape',
  'constraint',
  'lrPerColumn',
] satisfies (keyof ReferenceParameter)[];

function resolveParameter(given: unknown, index: number): NamedParameter {
  if (!isRecord(given)) {
    fail(`parameter ${index} is ${quote(given)}; give { name, data }.`);
  }
  const parameter = copyGiven(given, PARAMETER_KEYS);
  const { name = `param${index}`, data, grad, dtype = 'f32', gradDtype = 'f32', gradScale } = parameter;
  if (typeof name !== 'string' || name === '') {
    fail(`parameter ${index}: name is ${quote(name)}; give a non-empty string.`);
  }
  const what = `parameter ${quote(name)}`;
  rejectUnknownKeys(parameter, PARAMETER_KEYS, what, 'invalid-parameter');
  if (!isNumericArray(data)) {
    fail(`${what}: data is ${quote(data)}; give a Float32Array or Float64Array.`);
  }
  resolveCodec(dtype, 'dtype', what);
  resolveGradCodec(gradDtype, gradScale, what);
  // The arrays of a gradient of rows are the caller's, what holds them is not.
  const copied = isRecord(grad) ? { grad: copyGiven(grad) } : {};
  return { ...parameter, name, data, ...copied } as NamedParameter;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
