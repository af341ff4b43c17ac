import type { Rule } from '../rules/rule.js';
import { uniformByteLength } from './alignment.js';
import { layoutOf } from './rule-layout.js';

/**
 * What is known of a tensor as a whole, as the WGSL struct `TensorRecord`: the rule's state slots that are one number
 * per tensor, then what `summarize` leaves for the elements. Each field is one f32; they are the same for all options.
 */
export function recordFields(rule: Rule): readonly string[] {
  return layoutOf(rule).recordFields;
}

/** Byte length of the struct in a uniform buffer. */
export function recordByteLength(rule: Rule): number {
  return uniformByteLength(recordFields(rule).length);
}

/** Declares the struct and the variable `tensor`; nothing for rules that look at elements alone. */
export function composeRecord(rule: Rule): string {
  if (!rule.declaration.tensor) return '';
  const { quantityCount } = rule.declaration.tensor;
  return `
struct TensorRecord {
${recordFields(rule)
  .map((field) => `  ${field}: f32,\n`)
  .join('')}}
var<private> tensor: TensorRecord;

const QUANTITY_COUNT: u32 = ${quantityCount}u;
/// The quantities of a lane, and their norms over the tensor.
alias Measured = array<lane, ${quantityCount}>;
alias Norms = array<f32, ${quantityCount}>;
`;
}
