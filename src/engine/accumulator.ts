import wgsl from '../../shaders/accumulate.wgsl?raw';
import { commonOptions } from '../rules/common-options.js';
import { declareRule } from '../rules/declare-rule.js';
import type { ResolvedParameter } from './parameter.js';
import { SidePass } from './side-pass.js';

/** Addition in the form of a rule. */
const accumulate = declareRule({
  name: 'accumulate',
  wgsl,
  options: commonOptions(0),
  scalars: () => ({}),
  reference: ({ add }, { w, g }) => add(w, g),
});

/**
 * What adds the gradients of micro-batches to those that the optimizer reads, for those parameters that have a
 * `microGrad`; undefined if none has.
 *
 * @throws OptimizerError as {@link SidePass.create}.
 */
export async function createAccumulator(
  device: GPUDevice,
  parameters: readonly ResolvedParameter[],
  label: string,
): Promise<SidePass | undefined> {
  const targets = parameters.flatMap(({ microGrad, grad, ...rest }) =>
    microGrad ? [{ ...rest, data: grad, grad: microGrad }] : [],
  );
  if (targets.length === 0) return undefined;
  return SidePass.create(device, { rule: accumulate(), parameters: targets }, [0], `${label} accumulate`);
}
