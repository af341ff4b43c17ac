import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import normWgsl from '../../../shaders/norm-of-partial.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import measureWgsl from '../../../shaders/stages/measure/measure.wgsl?raw';
import summarizeWgsl from '../../../shaders/stages/measure/summarize.wgsl?raw';
import treeWgsl from '../../../shaders/tree.wgsl?raw';
import { type Access, CELLS_WGSL, type Codec, PLACE_WGSL, composeCodecs } from '../../codecs/codec.js';
import { f32 } from '../../codecs/f32.js';
import type { PipelineSource } from '../../gpu/pipelines.js';
import {
  composeEquation,
  composeVariables,
  pageLayout,
  recordStruct,
  switchConstants,
} from '../../kernel/compose-rule.js';
import type { RowLayout } from '../../kernel/row.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import { MEASURE_SHAPE, WORKGROUPS_ALONE } from '../../kernel/measure-shape.js';
import { shapeConstants } from '../../kernel/shape.js';
import { composeStrides, rowConstants } from '../../kernel/step-kernel.js';
import { composeWeights } from '../../kernel/weights.js';
import { wordStruct } from '../../kernel/structs.js';
import type { MeasureAccess } from '../../plan/measure.js';

/** What one measuring dispatch covers; bases in units of the bound arrays, `row` is the index within the page. */
export const PORTION = wordStruct('Portion', {
  lane_count: 'u32',
  element_count: 'u32',
  data_base: 'u32',
  grad_base: 'u32',
  state_base: 'u32',
  first_partial: 'u32',
  workgroup_count: 'u32',
  row: 'u32',
  mask_base: 'u32',
});

/** Of a tensor: its partials, the row that it is stepped with, and the word at which its record begins. */
export const SPAN = wordStruct('Span', {
  first_partial: 'u32',
  partial_count: 'u32',
  row: 'u32',
  record: 'u32',
});

/** Bytes of a partial of one quantity. */
export const PARTIAL_BYTE_LENGTH = 16;

/** A rule that measures tensors, and how its rows lie. */
export interface MeasureVariant {
  readonly layout: RuleLayout;
  readonly row: RowLayout;
  /** Whether gradients are clamped by value. */
  readonly isClamped: boolean;
}

/** A measuring kernel. */
export interface MeasureKernel {
  readonly access: MeasureAccess;
  /** Whether an invocation does what a workgroup does elsewhere: on CPU adapters. */
  readonly isAlone: boolean;
}

const constantsOf = ({ layout, isClamped }: MeasureVariant): Record<string, number> => ({
  ...shapeConstants(MEASURE_SHAPE),
  CLAMP_GRADIENT: Number(isClamped),
  ...switchConstants(layout.equationSwitches),
});

const readOnly = (minBindingSize: number): GPUBufferBindingLayout => ({
  type: 'read-only-storage',
  minBindingSize,
});
const written = (minBindingSize: number): GPUBufferBindingLayout => ({ type: 'storage', minBindingSize });

const partialsByteLength = ({ rule }: RuleLayout): number =>
  PARTIAL_BYTE_LENGTH * rule.declaration.tensor!.quantityCount;

/**
 * The kernel that measures a chunk. Bindings of group 0: partials, portion, weights, gradient, then the slots that the
 * rule's `measure` reads; group 1: the page of its row.
 */
export function measureSource(variant: MeasureVariant, { access, isAlone }: MeasureKernel): PipelineSource {
  const { layout, row } = variant;
  const roles = arraysOf(layout, access);
  return {
    label: `webgpu-optim ${layout.rule.name} measure`,
    code: composeMeasure(variant, access),
    entryPoint: isAlone ? 'measure_alone' : 'measure_tensor',
    constants: { ...constantsOf(variant), PROPAGATES: Number(isAlone), ...rowConstants(access) },
    bindGroups: [
      [
        written(partialsByteLength(layout)),
        { type: 'uniform', minBindingSize: PORTION.byteLength },
        ...roles.map((role) => readOnly(role.codec.itemByteLength(role.access))),
        ...(access.isMasked ? [readOnly(4)] : []),
      ],
      pageLayout(row),
    ],
  };
}

/** The arrays that are read, from binding 2 on; loaders are named after them. */
function arraysOf(
  { measuredSlots, codecOf }: RuleLayout,
  access: MeasureAccess,
): { name: string; base: string; access: Access; codec: Codec; stride?: string }[] {
  return [
    {
      name: 'data',
      base: 'data_base',
      access: access.data,
      codec: access.dataCodec ?? f32,
      stride: 'DATA_STRIDE',
    },
    {
      name: 'grad',
      base: 'grad_base',
      access: access.grad,
      codec: access.gradCodec ?? f32,
      stride: 'GRAD_STRIDE',
    },
    ...measuredSlots.map((name) => ({
      name,
      base: 'state_base',
      access: access.state,
      codec: codecOf(name),
    })),
  ];
}

function composeMeasure({ layout, row }: MeasureVariant, access: MeasureAccess): string {
  const roles = arraysOf(layout, access);
  const read = layout.measuredSlots.filter((slot) => layout.laneSlots.includes(slot));
  const arrays = roles.map(({ name, base, access: mode, codec, stride = '' }, k) => {
    const lanes = { array: `${name}_array`, base: `portion.${base}`, access: mode, stride };
    return `@group(0) @binding(${2 + k}) var<storage, read> ${name}_array: array<${codec.arrayType(mode)}>;

${composeWeights(name, codec, lanes, name === 'data' ? layout.masters : undefined)}`;
  });
  return `// webgpu-optim: ${layout.rule.name}, measuring
${composeVariables(layout, row)}
const WORKGROUPS_ALONE: u32 = ${WORKGROUPS_ALONE}u;
const IS_MASKED: bool = ${access.isMasked === true};
${PLACE_WGSL}
${PORTION.wgsl}
@group(0) @binding(1) var<uniform> uniform_portion: Portion;
@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;

var<private> portion: Portion;

${composeCodecs(roles.map(({ codec }) => codec))}${layout.masters?.wgsl ?? ''}${arrays.join('\n')}
${access.rowLength === undefined ? '' : composeStrides(access) + CELLS_WGSL}${composeMask(access, 2 + arrays.length)}
fn load_state(at: Place) {
${read.map((slot) => `  ${slot} = load_${slot}(at);\n`).join('')}}

${lanesWgsl}
${squaresWgsl}
${treeWgsl}
${composeEquation(layout)}
${measureWgsl}`;
}

/** Which elements of a lane are measured; the others count as zeros. */
function composeMask({ isMasked }: MeasureAccess, binding: number): string {
  if (!isMasked) {
    return `fn measured(at: Place) -> vec4<bool> {
  return vec4<bool>(true);
}

fn is_idle(counts: vec4<bool>) -> bool {
  return false;
}
`;
  }
  return `@group(0) @binding(${binding}) var<storage, read> mask: array<u32>;

fn measured(at: Place) -> vec4<bool> {
  let rows = portion.mask_base + cells_of(at).rows;
  return vec4<u32>(mask[rows.x], mask[rows.y], mask[rows.z], mask[rows.w]) != vec4<u32>(0u);
}

/// Whether nothing of a lane counts, so that it need not be loaded.
fn is_idle(counts: vec4<bool>) -> bool {
  return !any(counts);
}
`;
}

/**
 * The kernel that makes a record of each tensor's partials. Bindings of group 0: spans, partials, records; group 1: all
 * rows of the step.
 */
export function summarizeSource(variant: MeasureVariant): PipelineSource {
  const { layout, row } = variant;
  const { fields, byteLength } = recordStruct(layout);
  return {
    label: `webgpu-optim ${layout.rule.name} summarize`,
    code: `// webgpu-optim: ${layout.rule.name}, summarizing
${composeVariables(layout, row)}
${SPAN.wgsl}
@group(1) @binding(0) var<storage, read> step_rows: array<Scalars>;

fn load_record() {
${fields.map((field, k) => `  tensor.${field} = records[record_base + ${k}u];\n`).join('')}}

fn store_record() {
${fields.map((field, k) => `  records[record_base + ${k}u] = tensor.${field};\n`).join('')}}

${lanesWgsl}
${squaresWgsl}
${normWgsl}
${treeWgsl}
${composeEquation(layout)}
${summarizeWgsl}`,
    entryPoint: 'summarize_tensors',
    constants: constantsOf(variant),
    bindGroups: [
      [readOnly(SPAN.byteLength), readOnly(partialsByteLength(layout)), written(byteLength)],
      [{ type: 'read-only-storage', hasDynamicOffset: true, minBindingSize: row.struct.byteLength }],
    ],
  };
}
