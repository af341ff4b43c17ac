import type * as Ort from 'onnxruntime-web';
import type { OptimizerSettings } from '../../engine/input/config.js';
import { isRecord } from '../../errors.js';
import { copyGiven } from '../../given.js';
import type { Rule, RuleOverrides } from '../../rules/rule.js';
import { type NamedGroup, NamedGroups } from '../shared/named-groups.js';
import { checkOptions } from '../shared/options.js';
import type { InitialWeights } from './parameters.js';

/** Parameters with hyper-parameters of their own, e.g. `{ params: ['b1'], weightDecay: 0 }`; see {@link NamedGroup}. */
export type OnnxGroupConfig<R extends Rule = Rule> =
  | NamedGroup<R>
  | (RuleOverrides<R> & {
      /** The same as `params`. */
      parameters: readonly string[];
      match?: RegExp;
    });

/** What `OnnxTrainer.create` takes beside the runtime and the model: the optimizer's options, and these. */
export interface OnnxTrainerConfig<R extends Rule = Rule> extends OptimizerSettings {
  /** The rule, e.g. `adam({ lr: 1e-3 })`. */
  rule: R;
  /**
   * The weights to be trained, by the names of the graph's inputs: numbers that are copied to the GPU once the model is open,
   * or a tensor. One on the GPU is adopted: trained where it lies, and never destroyed.
   */
  parameters: Readonly<Record<string, InitialWeights>>;
  /** The output that is the gradient of a parameter. Default: `<name>_grad`. */
  gradientName?: (parameter: string) => string;
  /** Options for some parameters. Those that none names come last, as a group with the rule's. Default: none. */
  groups?: readonly OnnxGroupConfig<NoInfer<R>>[];
  /**
   * The device to compute on. Default: ONNX Runtime's own. If the model is given as a session, the device must be the one that
   * the session was made with.
   */
  device?: GPUDevice;
  /** Options for the session, if the model is not given as one; they go before those that the trainer sets. */
  sessionOptions?: Ort.InferenceSession.SessionOptions;
}

/** A checked config: a copy, for much is awaited before all of it has been read. */
export interface CheckedConfig extends Pick<
  OnnxTrainerConfig,
  'parameters' | 'gradientName' | 'device' | 'sessionOptions'
> {
  readonly groups: NamedGroups;
  /** For the engine. */
  readonly options: OptimizerSettings & { readonly rule: Rule };
}

const OWN_KEYS = ['rule', 'parameters', 'gradientName', 'groups', 'device', 'sessionOptions'];

/** @throws OptimizerError `invalid-config` or `invalid-option` on what is wrong whatever the model is. */
export function checkConfig(given: OnnxTrainerConfig): CheckedConfig {
  const { parameters, gradientName, groups, device, sessionOptions, ...options } = checkOptions(
    given,
    OWN_KEYS,
    { subject: 'the config is', example: '{ rule, parameters }' },
  );
  return {
    parameters: typeof parameters === 'object' && parameters !== null ? { ...parameters } : parameters,
    ...(gradientName && { gradientName }),
    ...(device && { device }),
    ...(sessionOptions && { sessionOptions }),
    groups: checkGroups(groups, options.rule),
    options,
  };
}

/** @throws OptimizerError as {@link NamedGroups}. */
export function checkGroups(groups: readonly OnnxGroupConfig[] = [], rule: Rule): NamedGroups {
  const renamed = Array.isArray(groups) ? groups.map(withParams) : (groups as readonly NamedGroup[]);
  return new NamedGroups(renamed, rule, 'parameter');
}

function withParams(group: OnnxGroupConfig): NamedGroup {
  if (!isRecord(group)) return group as NamedGroup;
  const { parameters, ...others } = copyGiven(group);
  // With both, the second is an option that no rule has.
  const isRenamed = parameters !== undefined && !others['params'];
  return (isRenamed ? { params: parameters, ...others } : group) as unknown as NamedGroup;
}
