import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import factorsWgsl from '../../../shaders/stages/norms/factors.wgsl?raw';
import measureWgsl from '../../../shaders/stages/norms/measure.wgsl?raw';
import scaleWgsl from '../../../shaders/stages/norms/scale.wgsl?raw';
import treeWgsl from '../../../shaders/tree.wgsl?raw';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { pageLayout } from '../../kernel/compose-rule.js';
import { MEASURE_SHAPE } from '../../kernel/measure-shape.js';
import type { RowLayout } from '../../kernel/row.js';
import { shapeConstants } from '../../kernel/shape.js';
import { wordStruct } from '../../kernel/structs.js';
import type { NormDispatch, NormPlan } from '../../plan/norms.js';
import type { Access } from '../../plan/pieces.js';

/** What a dispatch covers of the tables, in lanes of them; `row` is the index within the page. */
export const HEADER = wordStruct('Header', {
  row: 'u32',
  first_portion: 'u32',
  portion_count: 'u32',
  first_item: 'u32',
  first_partial: 'u32',
});

/** Lanes of a portion in the tables. */
const PORTION_LANES = 2;

/** Where things are in the tables, in lanes: portions, then items, then partials. */
export function tableLayout({ portions, items, partialCount }: NormPlan<unknown>) {
  const firstItem = PORTION_LANES * portions.length;
  const firstPartial = firstItem + items.length;
  return { firstItem, firstPartial, laneCount: firstPartial + Math.max(partialCount, 1) };
}

/** The words of the tables before the partials. */
export function tableWords(plan: NormPlan<unknown>, maxNorm: number): Uint32Array<ArrayBuffer> {
  const [limit] = new Uint32Array(Float32Array.of(maxNorm).buffer);
  return Uint32Array.from([
    ...plan.portions.flatMap(({ source, base, elementCount, partial, lane, item }) => [
      ...[source, base, elementCount, partial],
      ...[lane, item, 0, 0],
    ]),
    ...plan.items.flatMap(({ firstPartial, partialCount }) => [firstPartial, partialCount, limit!, 0]),
  ]);
}

const UNIFORM = { type: 'uniform', minBindingSize: HEADER.byteLength } as const;
const WRITTEN = { type: 'storage', minBindingSize: 16 } as const;

/**
 * The kernel of a measuring dispatch. Bindings of group 0: header, tables, the slab to be copied to, if there is any, then the
 * ranges that are measured; group 1: the page of its row.
 */
export function measureSource(
  { parts, access }: NormDispatch<unknown>,
  row: RowLayout,
  isCopied: boolean,
): PipelineSource {
  return {
    label: 'webgpu-optim norms',
    code: composeMeasure(parts.length, access, row, isCopied),
    entryPoint: 'measure_portions',
    constants: shapeConstants(MEASURE_SHAPE),
    bindGroups: [
      [
        UNIFORM,
        WRITTEN,
        ...(isCopied ? [WRITTEN] : []),
        ...parts.map((): GPUBufferBindingLayout => ({
          type: 'read-only-storage',
          minBindingSize: access === 'vector' ? 16 : 4,
        })),
      ],
      pageLayout(row),
    ],
  };
}

/** The kernel that finds factors. Bindings: header, tables. */
export function factorsSource(): PipelineSource {
  return {
    label: 'webgpu-optim norm factors',
    code: `// webgpu-optim: factors by norms
${TABLES}
${lanesWgsl}
${squaresWgsl}
${treeWgsl}
${factorsWgsl}`,
    entryPoint: 'find_factors',
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
  element_count: u32,
  partial: u32,
  lane: u32,
  item: u32,
}

@group(0) @binding(0) var<uniform> header: Header;
/// Portions, items and partials.
@group(0) @binding(1) var<storage, read_write> tables: array<vec4<u32>>;

fn portion_at(index: u32) -> Portion {
  let a = tables[${PORTION_LANES}u * index];
  let b = tables[${PORTION_LANES}u * index + 1u];
  return Portion(a.x, a.y, a.z, a.w, b.x, b.y);
}
`;

const WORKSPACE = '@group(0) @binding(2) var<storage, read_write> workspace: array<vec4<u32>>;';

function composePages(row: RowLayout): string {
  return `${row.struct.wgsl}
@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;
`;
}

function composeMeasure(sourceCount: number, access: Access, row: RowLayout, isCopied: boolean): string {
  const each = Array.from({ length: sourceCount }, (_, k) => k);
  const first = isCopied ? 3 : 2;
  const type = access === 'vector' ? 'vec4<u32>' : 'u32';
  const choose = (call: (k: number) => string) =>
    each.map((k) => `    case ${k}u: {\n      sums = ${call(k)};\n    }\n`).join('');
  return `// webgpu-optim: norms of ${sourceCount} by ${access}
${TABLES}
${isCopied ? WORKSPACE : ''}
${each.map((k) => `@group(0) @binding(${first + k}) var<storage, read> source_${k}: array<${type}>;`).join('\n')}
${composePages(row)}
${lanesWgsl}
${squaresWgsl}
${treeWgsl}
/// Bits of a lane as it is measured; zero past the portion's end.
fn measured(bits: vec4<u32>, multiplier: f32, i: u32, element_count: u32) -> vec4<u32> {
  let is_within = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(element_count);
  let value = bitcast<vec4<f32>>(bits) * multiplier;
  return select(vec4<u32>(0u), bitcast<vec4<u32>>(value), is_within);
}
${each.map((k) => composeSource(k, access, isCopied)).join('')}
fn add_portion(portion: Portion, multiplier: f32, local_index: u32) -> Squares {
  var sums: Squares;
  switch (portion.source) {
${choose((k) => `add_source_${k}(portion, multiplier, local_index)`)}    default: {
    }
  }
  return sums;
}

fn add_portion_carefully(given: Squares, portion: Portion, multiplier: f32, local_index: u32, is_needed: bool) -> Squares {
  var sums = given;
  switch (portion.source) {
${choose((k) => `add_source_carefully_${k}(sums, portion, multiplier, local_index, is_needed)`)}    default: {
    }
  }
  return sums;
}

${measureWgsl}`;
}

/** The loops stand once per source, because WGSL can choose an array at run time only by a branch at each access. */
function composeSource(k: number, access: Access, isCopied: boolean): string {
  const load =
    access === 'vector'
      ? `  return source_${k}[portion.base + i];`
      : `  let first = portion.base + 4u * i;
  let last = portion.base + portion.element_count - 1u;
  return vec4<u32>(
    source_${k}[first],
    source_${k}[min(first + 1u, last)],
    source_${k}[min(first + 2u, last)],
    source_${k}[min(first + 3u, last)],
  );`;
  return `
fn load_source_${k}(portion: Portion, i: u32) -> vec4<u32> {
${load}
}

fn add_source_${k}(portion: Portion, multiplier: f32, local_index: u32) -> Squares {
  let lanes = own_lanes(0u, local_index, (portion.element_count + 3u) / 4u);
  var sums: Squares;
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    let bits = load_source_${k}(portion, i);
${isCopied ? '    workspace[portion.lane + i] = bits;\n' : ''}    sums = add_ordinary_squares(sums, measured(bits, multiplier, i, portion.element_count));
  }
  return sums;
}

fn add_source_carefully_${k}(given: Squares, portion: Portion, multiplier: f32, local_index: u32, is_needed: bool) -> Squares {
  let lanes = own_lanes(0u, local_index, (portion.element_count + 3u) / 4u);
  let end = select(lanes.first, lanes.end, is_needed);
  var sums = given;
  for (var i = lanes.first; i < end; i += lanes.stride) {
    sums = add_squares(sums, measured(load_source_${k}(portion, i), multiplier, i, portion.element_count));
  }
  return sums;
}
`;
}
