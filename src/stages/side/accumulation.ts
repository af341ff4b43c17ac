import wgsl from '../../../shaders/stages/accumulate.wgsl?raw';
import type { Planned } from '../../gpu/pipelines.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { commonOptions } from '../../rules/options/common-options.js';
import { declareRule } from '../../rules/declaring/declare-rule.js';
import { type SidePass, type SidePassInput, planSidePass } from './side-pass.js';

/** Addition in the form of a rule. */
const accumulate = declareRule({
  name: 'accumulate',
  wgsl,
  options: commonOptions(0),
  scalars: () => ({}),
  reference: ({ add }, { w, g }) => add(w, g),
});

/** Plans what adds the gradients of micro-batches to those that the optimizer reads: tensors with the latter as `data`. */
export function planAccumulation(
  input: Omit<SidePassInput, 'rule' | 'rows' | 'tensors'>,
  tensors: readonly PlanTensor<GPUBuffer>[],
): Planned<SidePass> {
  return planSidePass({ ...input, tensors, rule: accumulate(), rows: [{}] });
}
