import { BindGroups } from '../../gpu/bind-groups.js';
import type { Planned } from '../../gpu/pipelines.js';
import { rowLayout } from '../../kernel/row.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import { ClippedCopies } from '../../stages/norms/clipped-copies.js';
import { Overflows } from '../../stages/update/overflows.js';
import { createPagesLayout } from '../../stages/pages.js';
import type { Rule } from '../../rules/rule.js';
import { isClamping, needsControlPass as needsControl } from '../input/options/gradient-options.js';
import type { ResolvedConfig, ResolvedSettings } from '../input/config.js';
import type { ParameterGroup } from '../parameter-group.js';
import { planGeneration } from './generation.js';
import { type RunTensor, planPart } from './group-part.js';
import { type Resources, factsOf } from './resources.js';
import { Rows } from './rows.js';
import { Run, type Watch } from './run.js';

/**
 * Plans a run.
 *
 * @param groups as users see them, one per group of the config.
 * @throws OptimizerError `limit-exceeded`.
 */
export function planRun(
  device: GPUDevice,
  config: ResolvedConfig,
  groups: readonly ParameterGroup[],
  watch: Watch,
): Planned<Run> {
  const tensors: (RunTensor | undefined)[] = [];
  const names = config.groups.flatMap(({ parameters }) => parameters.map(({ name }) => name));
  const resources = makeResources(device, config, names);
  const rows = new Rows();
  const parts = config.groups.map(({ parameters }, g) => {
    const row = rows.reserve();
    const members = parameters.map((parameter) => ({ index: tensors.push(undefined) - 1, row, parameter }));
    const group = groups[g]!;
    return planPart(resources, group, layoutOf(group.rule), members, labelOf(config, group.rule, g));
  });
  const isControlled = needsControl(config.gradients);
  // Without a part there is nothing to be made of it yet, but the kernels are known.
  const kernels = planGeneration(
    resources,
    isControlled ? { options: config.gradients, row: resources.row, label: config.label } : undefined,
    parts,
  );
  return {
    sources: [...parts.flatMap(({ sources }) => sources), ...kernels.sources],
    make: () => new Run(resources, config, tensors, rows, parts, watch),
  };
}

/** Label of all that is a group's. */
export function labelOf({ label }: ResolvedSettings, { name }: Rule, group: number): string {
  return `${label} ${name}${group > 0 ? ` group ${group}` : ''}`;
}

function makeResources(
  device: GPUDevice,
  { gradients, kernel, label, rule }: ResolvedSettings,
  names: string[],
): Resources {
  const row = rowLayout(...[rule, ...(rule.others ? [rule.others] : [])].map(layoutOf));
  return {
    device,
    row,
    facts: factsOf(device),
    isClamped: isClamping(gradients),
    clipped:
      gradients.maxGradNormPerTensor < Infinity
        ? new ClippedCopies(device, gradients.maxGradNormPerTensor, label)
        : undefined,
    overflows: new Overflows(device, label),
    shape: kernel,
    bindGroups: new BindGroups(device),
    pagesLayout: createPagesLayout(device, row, label),
    names,
    nameOf: (tensor) => names[tensor]!,
    label,
  };
}
