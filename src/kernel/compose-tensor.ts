import tree from '../../shaders/tree.wgsl?raw';
import lanes from '../../shaders/lanes.wgsl?raw';
import squares from '../../shaders/squares.wgsl?raw';
import measure from '../../shaders/tensor/measure.wgsl?raw';
import summarize from '../../shaders/tensor/summarize.wgsl?raw';
import type { Rule } from '../rules/rule.js';
import { uniformByteLength } from './alignment.js';
import { declareArray, loadExpression } from './compose-access.js';
import { composeBegin, composeEquation, composeScalars } from './compose.js';
import { declareSegment } from './segment.js';

import { layoutOf } from './rule-layout.js';
import { recordFields } from './tensor-record.js';
import type { Access, StepFeatures } from './variant.js';

export { LANES_PER_PARTIAL, MEASURE_SHAPE } from '../plan/measure.js';

/** Fields of what one measuring dispatch covers, in order; bases are as in `Segment`. */
export const PORTION_FIELDS = [
  'laneCount',
  'elementCount',
  'dataBase',
  'gradBase',
  'stateBase',
  'partialBase',
  'workgroupCount',
] as const;

/** What one measuring dispatch covers; every field is a u32. */
export type Portion = Readonly<Record<(typeof PORTION_FIELDS)[number], number>>;

/** Byte length of a portion in a uniform buffer. */
export const PORTION_BYTE_LENGTH = uniformByteLength(PORTION_FIELDS.length);

/** How a measuring dispatch reaches its elements, four a lane. */
export interface MeasureAccess {
  /** Weights and state, which are in phase. */
  readonly data: Access;
  readonly grad: Access;
}

/** The state slots that a rule's `measure` reads, of those that its options use. */
export function measuredSlots(rule: Rule): readonly string[] {
  return layoutOf(rule).measuredSlots;
}

/**
 * The WGSL that measures a tensor. Bindings of group 0: partials, portion, weights, gradient, then
 * {@link measuredSlots}; group 1 as the step kernels'.
 */
export function composeMeasure(rule: Rule, access: MeasureAccess, features: StepFeatures): string {
  const elementType = (mode: Access) => (mode === 'vector' ? 'vec4<f32>' : 'f32');
  const wide = { laneWidth: 4 } as const;
  const slots = measuredSlots(rule);
  const arrays = [
    declareArray(2, 'read-only-storage', 'data', elementType(access.data)),
    declareArray(3, 'read-only-storage', 'grad', elementType(access.grad)),
    ...slots.map((slot, k) =>
      declareArray(4 + k, 'read-only-storage', `${slot}_array`, elementType(access.data)),
    ),
  ];
  const loader = (name: string, array: string, base: string, mode: Access) =>
    `fn load_${name}(position: u32) -> lane {\n  ${loadExpression(array, base, wide, mode)}\n}\n`;
  return `// webgpu-optim: ${rule.name}, measuring
alias lane = vec4<f32>;

${composeScalars(rule)}
${declareSegment(PORTION_FIELDS)}
var<private> segment: Segment;

@group(0) @binding(1) var<uniform> uniform_segment: Segment;
${arrays.join('\n')}
${composeBegin(rule, features, ['segment'])}
${loader('data', 'data', 'data_base', access.data)}
${loader('grad', 'grad', 'grad_base', access.grad)}
${slots.map((slot) => loader(slot, `${slot}_array`, 'state_base', access.data)).join('\n')}
fn load_state(i: u32) {
${slots.map((slot) => `  ${slot} = load_${slot}(i);`).join('\n')}
}

${lanes}
${squares}
${tree}
${composeEquation(rule)}
${measure}`;
}

/**
 * The WGSL that makes a record of each tensor's partials. Bindings of group 0: spans, partials, records; group 1 as
 * the step kernels'.
 *
 * @param recordStride words from one record to the next.
 */
export function composeSummarize(rule: Rule, recordStride: number, features: StepFeatures): string {
  const fields = recordFields(rule);
  return `// webgpu-optim: ${rule.name}, summarizing
alias lane = vec4<f32>;

${composeScalars(rule)}
${composeBegin(rule, features)}
const RECORD_STRIDE: u32 = ${recordStride}u;

fn load_record() {
${fields.map((field, k) => `  tensor.${field} = records[record_base + ${k}u];`).join('\n')}
}

fn store_record() {
${fields.map((field, k) => `  records[record_base + ${k}u] = tensor.${field};`).join('\n')}
}

${lanes}
${squares}
${tree}
${composeEquation(rule)}
${summarize}`;
}
