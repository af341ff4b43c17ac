import wgsl from '../../../shaders/stages/evaluation/seed.wgsl?raw';
import type { Planned } from '../../gpu/pipelines.js';
import { commonOptions } from '../../rules/options/common-options.js';
import { declareRule } from '../../rules/declaring/declare-rule.js';
import { type SidePass, type SidePassInput, planSidePass } from './side-pass.js';

/** A copy of the weights, in the form of a rule. */
const seed = declareRule({
  name: 'seed',
  wgsl,
  options: commonOptions(0),
  slots: [{ name: 'kept' }],
  scalars: () => ({}),
  reference: (_, { w, s }) => {
    s.kept = w;
    return w;
  },
});

/** Plans what makes an average begin from the weights; `slab` says where the average lies, whatever slot it is asked for. */
export function planSeeding(input: Omit<SidePassInput, 'rule' | 'rows'>): Planned<SidePass> {
  return planSidePass({ ...input, rule: seed(), rows: [{}] });
}
