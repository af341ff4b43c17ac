import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import measureWgsl from '../../../shaders/stages/norms/measure.wgsl?raw';
import scaleWgsl from '../../../shaders/stages/norms/scale.wgsl?raw';
import totalWgsl from '../../../shaders/stages/norms/total.wgsl?raw';
import treeWgsl from '../../../shaders/tree.wgsl?raw';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { pageLayout } from '../../kernel/compose-rule.js';
import { MEASURE_SHAPE } from '../../kernel/measure-shape.js';
import type { RowLayout } from '../../kernel/row.js';
import { shapeConstants } from '../../kernel/shape.js';
import { wordStruct } from '../../kernel/structs.js';
import type { NormDispatch, NormPlan } from '../../plan/norms/plan-norms.js';
import {
  type GradientKind,
  bitsType,
  composeBits,
  composeGradientRows,
  composeLoadBits,
  gradientEntry,
  gradientRowConstants,
} from '../gradient-lanes.js';

/** What a dispatch covers of the tables, in lanes of them; `row` is the index within the page. */
export const HEADER = wordStruct('Header', {
  row: 'u32',
  first_portion: 'u32',
  portion_count: 'u32',
  first_item: 'u32',
  first_total: 'u32',
  first_partial: 'u32',
  mask_base: 'u32',
  max_norm: 'f32',
});

/** Lanes of a portion in the tables. */
const PORTION_LANES = 2;

/** Where things are in the tables, in lanes: portions, then items, their totals, then partials. */
export function tableLayout({ portions, items, partialCount }: NormPlan<unknown>) {
  const firstItem = PORTION_LANES * portions.length;
  const firstTotal = firstItem + items.length;
  const firstPartial = firstTotal + items.length;
  return { firstItem, firstTotal, firstPartial, laneCount: firstPartial + partialCount };
}

/** The words of the tables before the totals. */
export function tableWords({ portions, items }: NormPlan<unknown>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(4 * (PORTION_LANES * portions.length + items.length));
  portions.forEach(({ source, base, first, elementCount, partial, lane, item }, k) =>
    words.set([source, base, first, elementCount, partial, lane, item], 4 * PORTION_LANES * k),
  );
  items.forEach(({ firstPartial, partialCount }, k) =>
    words.set([firstPartial, partialCount], 4 * (PORTION_LANES * portions.length + k)),
  );
  return words;
}

const UNIFORM = { type: 'uniform', minBindingSize: HEADER.byteLength } as const;
const WRITTEN = { type: 'storage', minBindingSize: 16 } as const;

/**
 * The kernel of a measuring dispatch. Bindings of group 0: header, tables, the slab to be copied to, if there is any, then the
 * ranges that are measured, and the mask of the rows if there is one; group 1: the page of its row.
 */
export function measureSource(
  dispatch: NormDispatch<unknown>,
  row: RowLayout,
  isCopied: boolean,
): PipelineSource {
  const { parts, table } = dispatch;
  return {
    label: 'webgpu-optim norms',
    code: composeMeasure(dispatch, row, isCopied),
    entryPoint: 'measure_portions',
    constants: { ...shapeConstants(MEASURE_SHAPE), ...gradientRowConstants(table) },
    bindGroups: [
      [
        UNIFORM,
        WRITTEN,
        ...(isCopied ? [WRITTEN] : []),
        ...parts.map(() => gradientEntry(dispatch)),
        ...(table?.mask ? [{ type: 'read-only-storage', minBindingSize: 4 } as const] : []),
      ],
      pageLayout(row),
    ],
  };
}

/** The kernel that adds up partials. Bindings: header, tables. */
export function totalSource(): PipelineSource {
  return {
    label: 'webgpu-optim norms of tensors',
    code: `// webgpu-optim: sums of partials
${TABLES}
${lanesWgsl}
${squaresWgsl}
${treeWgsl}
${totalWgsl}`,
    entryPoint: 'total_items',
    constants: shapeConstants(MEASURE_SHAPE),
    bindGroups: [[UNIFORM, WRITTEN]],
  };
}

/** The kernel that scales copies. Bindings of group 0: header, tables, the slab; group 1: the page of its row. */
export function scaleSource(row: RowLayout): PipelineSource {
  return {
    label: 'webgpu-optim clip by norms',
    code: `// webgpu-optim: gradients times their factors
${TABLES}
${WORKSPACE}
${composePages(row)}
${lanesWgsl}
${squaresWgsl}
${scaleWgsl}`,
    entryPoint: 'scale_portions',
    constants: shapeConstants(MEASURE_SHAPE),
    bindGroups: [[UNIFORM, WRITTEN, WRITTEN], pageLayout(row)],
  };
}

const TABLES = `${HEADER.wgsl}
struct Portion {
  source: u32,
  base: u32,
  first: u32,
  element_count: u32,
  partial: u32,
  lane: u32,
  item: u32,
}

@group(0) @binding(0) var<uniform> header: Header;
/// Portions, items, totals and partials.
@group(0) @binding(1) var<storage, read_write> tables: array<vec4<u32>>;

fn portion_at(index: u32) -> Portion {
  let a = tables[${PORTION_LANES}u * index];
  let b = tables[${PORTION_LANES}u * index + 1u];
  return Portion(a.x, a.y, a.z, a.w, b.x, b.y, b.z);
}
`;

const WORKSPACE = '@group(0) @binding(2) var<storage, read_write> workspace: array<vec4<u32>>;';

function composePages(row: RowLayout): string {
  return `${row.struct.wgsl}
@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;
`;
}

function composeMeasure(dispatch: NormDispatch<unknown>, row: RowLayout, isCopied: boolean): string {
  const { parts, access, table } = dispatch;
  const each = parts.map((_, k) => k);
  const first = isCopied ? 3 : 2;
  const choose = (call: (k: number) => string) =>
    each.map((k) => `    case ${k}u: {\n      sums = ${call(k)};\n    }\n`).join('');
  const sourceOf = (k: number) =>
    `@group(0) @binding(${first + k}) var<storage, read> source_${k}: array<${bitsType(dispatch)}>;\n`;
  return `// webgpu-optim: norms of ${parts.length} by ${access}
${TABLES}
${isCopied ? WORKSPACE : ''}
${each.map(sourceOf).join('')}
${table?.mask ? `@group(0) @binding(${first + parts.length}) var<storage, read> mask: array<u32>;` : ''}
${composePages(row)}
/// How many elements of its range lie before the portion.
var<private> first_element: u32;

${lanesWgsl}
${squaresWgsl}
${treeWgsl}
${table ? composeGradientRows(table, 'first_element') : ''}${composeBits(dispatch, table)}
/// Bits of a lane as it is measured; zero past the portion's end, and of rows that are left alone.
fn measured(bits: vec4<u32>, i: u32, element_count: u32) -> vec4<u32> {
  let is_within = ${table?.mask ? 'active_in(i, element_count) & ' : ''}(vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(element_count));
  return select(vec4<u32>(0u), bits, is_within);
}
${each.map((k) => composeSource(k, dispatch, isCopied)).join('')}
fn add_portion(portion: Portion, local_index: u32, kind: u32) -> Squares {
  var sums: Squares;
  switch (portion.source) {
${choose((k) => `add_source_${k}(portion, local_index, kind)`)}    default: {
    }
  }
  return sums;
}

${measureWgsl}`;
}

/** The loops stand once per source, because WGSL can choose an array at run time only by a branch at each access. */
function composeSource(k: number, { access, codec }: GradientKind, isCopied: boolean): string {
  const kind = { access, ...(codec && { codec }) };
  const lanes = {
    array: `source_${k}`,
    ...kind,
    base: 'portion.base',
    elementCount: 'portion.element_count',
  };
  return `
fn load_source_${k}(portion: Portion, i: u32) -> vec4<u32> {
${composeLoadBits(lanes)}
}

fn take_source_${k}(portion: Portion, i: u32) -> vec4<u32> {
  let bits = load_source_${k}(portion, i);
${isCopied ? '  workspace[portion.lane + i] = bits;\n' : ''}  return measured(bits, i, portion.element_count);
}

fn add_source_${k}(portion: Portion, local_index: u32, kind: u32) -> Squares {
  let lanes = own_lanes(0u, local_index, (portion.element_count + 3u) / 4u);
  var sums: Squares;
  var i = lanes.first;
  let end = select(i, lanes.end, kind == MEDIUM);
  for (; i < end; i += lanes.stride) {
    sums = add_squares(sums, take_source_${k}(portion, i));
  }
  for (; i < lanes.end; i += lanes.stride) {
    sums = add_scaled_squares(sums, take_source_${k}(portion, i), kind);
  }
  return sums;
}
`;
}
