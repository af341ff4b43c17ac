import { OptimizerError } from '../errors.js';
import { type Compilable, compilableList } from '../kernel/compilable.js';
import type { ResolvedConfig } from './config.js';
import { type PreparedControl, prepareControl } from './control/prepare-control.js';
import { needsControlPass } from './control/settings.js';
import { type PreparedGroup, prepareGroup } from './prepare-group.js';

/** What a runner is made of, before any buffer is. */
export interface PreparedRunner {
  readonly control: PreparedControl | undefined;
  /** Those groups that are not known yet. */
  readonly groups: readonly PreparedGroup[];
}

/**
 * Plans the control pass and the groups, and their kernels; touches no buffer.
 *
 * @param knownCount groups, from the first, that another runner has prepared already.
 * @throws OptimizerError as {@link prepareGroup}.
 */
export function prepareRunner(
  device: GPUDevice,
  { groups, gradients, kernel }: ResolvedConfig,
  knownCount = 0,
): Compilable<PreparedRunner> {
  const controlled = needsControlPass(gradients);
  const features = { controlled, clamped: gradients.maxGradValue < Infinity };
  const rules = groups.map(({ rule }) => rule);
  const spans = groups.flatMap(({ parameters }) => parameters.flatMap(({ grad }) => grad));
  const control = compilableList(controlled ? [prepareControl(device, rules, spans, gradients)] : []);
  const added = compilableList(
    groups.slice(knownCount).map((group) => prepareGroup(device, group, features, kernel)),
  );
  const controlCount = control.sources.length;
  return {
    sources: [...control.sources, ...added.sources],
    finish: (pipelines) => ({
      control: control.finish(pipelines.slice(0, controlCount))[0],
      groups: added.finish(pipelines.slice(controlCount)),
    }),
  };
}

/** Of buffers that nobody had the time to try one by one. */
export function rejectionError(error: GPUError): OptimizerError {
  return new OptimizerError(
    'invalid-parameter',
    `the device rejects the buffers: ${error.message.trim()} Give buffers of this device, neither destroyed nor mapped.`,
  );
}

/** Of buffers that got no memory. */
export function allocationError(error: GPUError, { groups }: PreparedRunner): OptimizerError {
  const byteLength = groups.flatMap(({ plan }) => plan.stateByteLengths).reduce((sum, n) => sum + n, 0);
  return new OptimizerError(
    'out-of-memory',
    `the device could not allocate the optimizer state, ${byteLength} bytes per state slot: ` +
      `${error.message.trim()} Use fewer or smaller parameters, or a rule with less state.`,
  );
}
