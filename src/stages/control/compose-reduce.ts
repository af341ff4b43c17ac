import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import squaresWgsl from '../../../shaders/squares.wgsl?raw';
import reduceWgsl from '../../../shaders/stages/control/reduce.wgsl?raw';
import treeWgsl from '../../../shaders/tree.wgsl?raw';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { pageLayout } from '../../kernel/compose-rule.js';
import type { RowLayout } from '../../kernel/row.js';
import { shapeConstants } from '../../kernel/shape.js';
import { type WordView, wordStruct } from '../../kernel/structs.js';
import type { ReductionDispatch, ReductionPart } from '../../plan/reduction.js';
import {
  type GradientKind,
  bitsType,
  composeBits,
  composeGradientRows,
  composeLoadBits,
  gradientEntry,
  gradientRowConstants,
} from '../gradient-lanes.js';

/** What a dispatch of the reduction covers as a whole. */
const HEADER = wordStruct('Header', {
  row: 'u32',
  first_partial: 'u32',
  workgroup_count: 'u32',
  mask_base: 'u32',
});

/** What it covers of one gradient; `base` in units of the bound array. */
const PART = wordStruct('Part', {
  lane_count: 'u32',
  element_count: 'u32',
  base: 'u32',
  gathered_lane: 'u32',
});

/** Bytes of the WGSL struct `Portion`: the header, then the parts. */
export function portionByteLength({ parts }: ReductionDispatch<unknown>): number {
  return HEADER.byteLength + PART.byteLength * parts.length;
}

/**
 * Writes the WGSL struct `Portion` of a dispatch.
 *
 * @param firstPartialLane the lane of the workspace that is the first partial of all dispatches.
 * @param rowInPage the dispatch's row, counted from the first of its page.
 */
export function writePortion(
  view: WordView,
  firstWord: number,
  { parts, firstPartial, workgroupCount }: ReductionDispatch<unknown>,
  firstPartialLane: number,
  rowInPage: number,
): void {
  HEADER.write(view, firstWord, {
    row: rowInPage,
    first_partial: firstPartialLane + firstPartial,
    workgroup_count: workgroupCount,
    mask_base: parts[0]!.table?.maskBase ?? 0,
  });
  parts.forEach(({ laneCount, elementCount, base, gatheredLane = 0 }, k) =>
    PART.write(view, firstWord + (HEADER.byteLength + PART.byteLength * k) / 4, {
      lane_count: laneCount,
      element_count: elementCount,
      base,
      gathered_lane: gatheredLane,
    }),
  );
}

/**
 * The kernel of a dispatch. Bindings of group 0: portion, workspace, then the gradients of its parts, and the mask of the
 * rows if there is one; group 1: the page of its row.
 *
 * @param isCpu whether the adapter computes on the CPU.
 */
export function reduceSource(
  dispatch: ReductionDispatch<unknown>,
  row: RowLayout,
  isCpu: boolean,
): PipelineSource {
  const { parts, shape } = dispatch;
  const { table } = parts[0]!;
  return {
    label: 'webgpu-optim reduce',
    code: composeReduce(parts, row),
    entryPoint: 'reduce',
    constants: {
      ...shapeConstants(shape),
      PROPAGATES: Number(isCpu),
      ...gradientRowConstants(table),
    },
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: portionByteLength(dispatch) },
        { type: 'storage', minBindingSize: 16 },
        ...parts.map(gradientEntry),
        ...(table?.mask ? [{ type: 'read-only-storage', minBindingSize: 4 } as const] : []),
      ],
      pageLayout(row),
    ],
  };
}

function composeReduce(parts: readonly ReductionPart<unknown>[], row: RowLayout): string {
  const partCount = parts.length;
  const [first] = parts;
  const { access, table } = first!;
  const each = parts.map((_, k) => k);
  return `// webgpu-optim: reduction of ${partCount} by ${access}
${row.struct.wgsl}
${HEADER.wgsl}
${PART.wgsl}
struct Portion {
  header: Header,
  parts: array<Part, ${partCount}>,
}

@group(0) @binding(0) var<uniform> uniform_portion: Portion;
/// Gathered gradients, and partials: sums of large, medium and small squares as bits of f32, then the flags.
@group(0) @binding(1) var<storage, read_write> workspace: array<vec4<u32>>;
${each.map((k) => declareGradient(k, first!)).join('\n')}
${table?.mask ? `@group(0) @binding(${2 + partCount}) var<storage, read> mask: array<u32>;` : ''}
@group(1) @binding(0) var<uniform> page: array<Scalars, ${row.rowsPerPage}>;

var<private> header: Header;

${lanesWgsl}
${squaresWgsl}
${treeWgsl}
${table ? composeGradientRows(table, '0u') : ''}${composeBits(first!, table)}
fn masked(bits: vec4<u32>, i: u32, element_count: u32) -> vec4<u32> {
  let is_within = ${table?.mask ? 'active_in(i, element_count) & ' : ''}(vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(element_count));
  return select(vec4<u32>(0u), bits, is_within);
}
${each.map((k) => composePart(k, first!)).join('')}
fn add_parts(workgroup: u32, local_index: u32, kind: u32) -> Squares {
  var sums: Squares;
${each.map((k) => `  sums = add_part_${k}(sums, workgroup, local_index, kind);\n`).join('')}  return sums;
}

${reduceWgsl}`;
}

function declareGradient(k: number, kind: GradientKind): string {
  return `@group(0) @binding(${2 + k}) var<storage, read> grad_${k}: array<${bitsType(kind)}>;`;
}

/**
 * The loops stand once per part, because WGSL can choose an array at run time only by a branch at each access. A long part's takes four
 * lanes a round: what a round costs beside that, CPU adapters pay as dearly.
 */
function composePart(k: number, part: ReductionPart<unknown>): string {
  const { isShort, gatheredLane, table } = part;
  const idle = `    if (!any(active_in(i, part.element_count))) {
      continue;
    }
`;
  const lanes = { ...part, array: `grad_${k}`, base: 'part.base', elementCount: 'part.element_count' };
  const rounds = `  for (; i + 3u * lanes.stride < end; i += 4u * lanes.stride) {
${[0, 1, 2, 3].map((n) => `    sums = add_squares(sums, take_${k}(part, i + ${n}u * lanes.stride));`).join('\n')}
  }
`;
  return `
fn load_${k}(part: Part, i: u32) -> vec4<u32> {
${composeLoadBits(lanes)}
}

/// A lane; copied, if it is to be gathered.
fn take_${k}(part: Part, i: u32) -> vec4<u32> {
  let bits = ${isShort || table ? `masked(load_${k}(part, i), i, part.element_count)` : `load_${k}(part, i)`};
${gatheredLane === undefined ? '' : '  workspace[part.gathered_lane + i] = bits;\n'}  return bits;
}

fn add_part_${k}(given: Squares, workgroup: u32, local_index: u32, kind: u32) -> Squares {
  let part = uniform_portion.parts[${k}];
  let lanes = own_lanes(workgroup, local_index, part.lane_count);
  var sums = given;
  var i = lanes.first;
  let end = select(i, lanes.end, kind == MEDIUM);
${isShort || table ? '' : rounds}  for (; i < end; i += lanes.stride) {
${table?.mask ? idle : ''}    sums = add_squares(sums, take_${k}(part, i));
  }
  for (; i < lanes.end; i += lanes.stride) {
    sums = add_scaled_squares(sums, take_${k}(part, i), kind);
  }
  return sums;
}
`;
}
