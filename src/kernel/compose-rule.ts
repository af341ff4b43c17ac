import incoming from '../../shaders/incoming.wgsl?raw';
import { wordStruct } from './structs.js';
import type { RowLayout } from './row.js';
import type { RuleLayout } from './rule-layout.js';

/**
 * What a rule's equation sees beside its arguments: `h`, one row of scalars; its state, lane by lane; and what is known of
 * the whole tensor. Declares `Scalars` and the variables; where rows come from is said by {@link composePage} or else.
 */
export function composeVariables(layout: RuleLayout, row: RowLayout): string {
  return `alias lane = vec4<f32>;

${row.struct.wgsl}
var<private> h: Scalars;
${layout.laneVariables.map((slot) => `var<private> ${slot}: lane;\n`).join('')}${composeRecord(layout)}`;
}

/** A page of rows at group 1, and \`begin(row)\`: fetches the row at an index of it; false if its step is not to be made. */
export function composePage({ rowsPerPage }: RowLayout): string {
  return `@group(1) @binding(0) var<uniform> page: array<Scalars, ${rowsPerPage}>;

fn begin(row: u32) -> bool {
  h = page[row];
  return h.is_active != 0u;
}
`;
}

/** The layout of group 1 where it is {@link composePage}'s. */
export function pageLayout({ struct, rowsPerPage }: RowLayout): GPUBufferBindingLayout[] {
  return [{ type: 'uniform', hasDynamicOffset: true, minBindingSize: struct.byteLength * rowsPerPage }];
}

/** The struct of what is known of a tensor as a whole: slots of whole tensors, then what `summarize` leaves. */
export function recordStruct({ recordFields }: Pick<RuleLayout, 'recordFields'>) {
  return wordStruct('TensorRecord', Object.fromEntries(recordFields.map((field) => [field, 'f32' as const])));
}

/** Declares the struct and the variable `tensor`; nothing for rules that look at elements alone. */
function composeRecord(layout: RuleLayout): string {
  const { tensor } = layout.rule.declaration;
  if (!tensor) return '';
  return `
${recordStruct(layout).wgsl}
var<private> tensor: TensorRecord;

const QUANTITY_COUNT: u32 = ${tensor.quantityCount}u;
/// The quantities of a lane, and their norms over the tensor.
alias Measured = array<lane, ${tensor.quantityCount}>;
alias Norms = array<f32, ${tensor.quantityCount}>;
`;
}

/** The rule's equation, and the operations that it may use. */
export function composeEquation({ rule: { declaration } }: RuleLayout): string {
  return `${incoming}
${declaration.wgsl}`;
}

/** The averages' equations, and the calls of them. */
export function composeAverages({ averages }: RuleLayout): string {
  const declarations = averages.map(({ declaration }) => declaration);
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

/** Values of the `override` switches, as numbers. */
export function switchConstants(switches: Readonly<Record<string, boolean>>): Record<string, number> {
  return Object.fromEntries(Object.entries(switches).map(([name, on]) => [name, Number(on)]));
}
