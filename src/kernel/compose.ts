import incoming from '../../shaders/incoming.wgsl?raw';
import lanes from '../../shaders/lanes.wgsl?raw';
import namedRows from '../../shaders/sparse/named-rows.wgsl?raw';
import template from '../../shaders/step.wgsl?raw';
import { type Rule, tensorOf } from '../rules/rule.js';
import { layoutOf } from './rule-layout.js';
import { correctionRates, scalarNames } from './scalars.js';
import { composeAccess, composeBindings } from './compose-access.js';
import { composeRecord } from './tensor-record.js';
import { type AccessVariant, PLAIN_STEP, type StepFeatures } from './variant.js';

/** Names and types of the words that the control pass hands to a group's kernels, in order. */
export function controlFields(rule: Rule): [string, 'u32' | 'f32'][] {
  const corrections = correctionRates(rule).map(([name]) => [name, 'f32'] as [string, 'f32']);
  return [['skip', 'u32'], ['grad_multiplier', 'f32'], ['t', 'f32'], ...corrections];
}

/** What a rule's equation sees beside its arguments: the struct `h` of its scalars, and its state. */
export function composeScalars(rule: Rule): string {
  const fields = scalarNames(rule).map((name) => `  ${name}: f32,\n`);
  return `struct Scalars {
${fields.join('')}}

@group(1) @binding(0) var<uniform> uniform_h: Scalars;
var<private> h: Scalars;
${layoutOf(rule)
  .laneVariables.map((slot) => `var<private> ${slot}: lane;\n`)
  .join('')}${composeRecord(rule)}`;
}

/**
 * `begin()`: uniforms are copied once, because a compiler cannot hoist reads of them past the stores to storage in
 * the loop; what the control pass decided takes the place of the host's values.
 *
 * @param uniforms names of the variables that are copied from `uniform_<name>`, beside `h`.
 */
export function composeBegin(
  rule: Rule,
  { controlled }: StepFeatures,
  uniforms: readonly string[] = [],
): string {
  const fields = controlFields(rule);
  const control = `struct Control {
${fields.map(([name, type]) => `  ${name}: ${type},`).join('\n')}
}
@group(1) @binding(1) var<storage, read> control: Control;
`;
  const copies = ['h', ...uniforms].map((name) => `  ${name} = uniform_${name};\n`);
  const overrides = fields.slice(1).map(([name]) => `  h.${name} = control.${name};\n`);
  return `${controlled ? control : ''}
fn begin() -> bool {
${copies.join('')}${controlled ? overrides.join('') : ''}  return ${controlled ? 'control.skip == 0u' : 'true'};
}
`;
}

/** The rule's equation, and the operations that it may use. */
export function composeEquation({ declaration }: Rule): string {
  return `${incoming}
${declaration.wgsl}`;
}

/** The averages' equations, and the calls of them. */
function composeAverages(rule: Rule): string {
  const declarations = layoutOf(rule).averages.map(({ declaration }) => declaration);
  const prepares = declarations.map(({ name }) => `  prepare_${name}();\n`);
  const calls = declarations.map(({ name }) => `  w = average_${name}(before, w);\n`);
  return `${declarations.map(({ wgsl }) => wgsl).join('\n')}
fn prepare_averages() {
${prepares.join('')}}

fn average(before: lane, after: lane) -> lane {
  var w = after;
${calls.join('')}  return w;
}
`;
}

/**
 * The WGSL of a kernel: generated declarations, the template, and the rule's equation. Pure; switches and
 * shape stay `override` constants, so that kernels that differ only in these share one module.
 */
export function composeKernel(rule: Rule, access: AccessVariant, features = PLAIN_STEP): string {
  const tensorRecord = tensorOf(rule) ? ['tensor'] : [];
  return `// webgpu-optim: ${rule.name}
alias lane = ${access.laneWidth === 4 ? 'vec4<f32>' : 'f32'};

${composeScalars(rule)}
${composeBindings(rule, access)}
${composeBegin(rule, features, tensorRecord)}
${composeAccess(rule, access)}
${access.rowLanes === undefined ? '' : namedRows}
${lanes}
${composeEquation(rule)}
${composeAverages(rule)}
${template}`;
}
