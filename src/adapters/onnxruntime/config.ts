import type * as Ort from 'onnxruntime-web';
import type { OptimizerConfig, ParameterGroupConfig } from '../../engine/input/config.js';
import type { Parameter } from '../../engine/input/parameter.js';
import { OptimizerError, quote } from '../../errors.js';
import type { InitialWeights } from './parameters.js';

/** Some parameters with hyper-parameters of their own: any option of the rule, beside `parameters`. */
export interface OnnxGroupConfig {
  /** Names of the group's parameters; at least one. */
  parameters: readonly string[];
  /** Any option of the rule, in place of the rule's. */
  [option: string]: unknown;
}

/** What `OnnxTrainer.create` takes beside the runtime and the model: the optimizer's options, and these. */
export interface OnnxTrainerConfig extends Omit<OptimizerConfig, 'params' | 'groups'> {
  /**
   * The weights to be trained, by the names of the graph's inputs: numbers that are copied to the GPU, or a tensor. One on
   * the GPU is adopted: trained where it lies, and never destroyed.
   */
  parameters: Readonly<Record<string, InitialWeights>>;
  /** The output that is the gradient of a parameter. Default: `<name>_grad`. */
  gradientName?: (parameter: string) => string;
  /** Options for some parameters; the others have the rule's. Default: none. */
  groups?: readonly OnnxGroupConfig[];
  /**
   * The device to compute on. Default: ONNX Runtime's own. If the model is given as a session, the device must be the one that
   * the session was made with.
   */
  device?: GPUDevice;
  /** Options for the session, if the model is not given as one; they go before those that the trainer sets. */
  sessionOptions?: Ort.InferenceSession.SessionOptions;
}

/**
 * The optimizer's groups: those of the config, and one more for the parameters that none of them names.
 *
 * @throws OptimizerError `invalid-config` if a group names a parameter that does not exist or that another group has.
 */
export function groupParameters(
  params: readonly (Parameter & { name: string })[],
  groups: readonly OnnxGroupConfig[] = [],
): ParameterGroupConfig[] {
  const left = new Map(params.map((parameter) => [parameter.name, parameter]));
  const named = groups.map(({ parameters, ...options }, k) => {
    if (!Array.isArray(parameters)) {
      fail(`groups[${k}].parameters is ${quote(parameters)}; give an array of names.`);
    }
    const members = parameters.map((name: string) => {
      const parameter = left.get(name);
      if (!parameter) {
        const all = params.map((other) => quote(other.name)).join(', ');
        fail(`groups[${k}] names ${quote(name)}; give each of ${all} in one group at most.`);
      }
      left.delete(name);
      return parameter;
    });
    return { ...options, params: members };
  });
  return left.size > 0 ? [{ params: [...left.values()] }, ...named] : named;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
