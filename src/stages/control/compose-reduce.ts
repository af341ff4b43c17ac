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
 */
export function reduceSource(dispatch: ReductionDispatch<unknown>, row: RowLayout): PipelineSource {
  const { parts, shape } = dispatch;
  const { isShort, gatheredLane, table } = parts[0]!;
  return {
    label: 'webgpu-optim reduce',
    code: composeReduce(parts, row),
    entryPoint: 'reduce',
    constants: {
      ...shapeConstants(shape),
      MASKED: Number(isShort || table !== undefined),
      GATHERED: Number(gatheredLane !== undefined),
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
  const each = Array.from({ length: partCount }, (_, k) => k);
  return `// webgpu-optim: reduction of ${partCount} by ${access}
${row.struct.wgsl}
${HEADER.wgsl}
${PART.wgsl}
struct Portion {
  header: Header,
  parts: array<Part, ${partCount}>,
}

/// Whether a part's last lane may be in part.
override MASKED: bool = false;
/// Whether parts are copied to the workspace.
override GATHERED: bool = false;

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
  if (!MASKED) {
    return bits;
  }
  let is_within = ${table?.mask ? 'active_in(i, element_count) & ' : ''}(vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(element_count));
  return select(vec4<u32>(0u), bits, is_within);
}
${each.map((k) => composePart(k, first!, table?.mask !== undefined)).join('')}
fn add_parts(workgroup: u32, local_index: u32) -> Squares {
  var sums: Squares;
${each.map((k) => `  sums = add_part_${k}(sums, workgroup, local_index);\n`).join('')}  return sums;
}

fn add_parts_carefully(given: Squares, workgroup: u32, local_index: u32, is_needed: bool) -> Squares {
  var sums = given;
${each.map((k) => `  sums = add_part_carefully_${k}(sums, workgroup, local_index, is_needed);\n`).join('')}  return sums;
}

${reduceWgsl}`;
}

function declareGradient(k: number, kind: GradientKind): string {
  return `@group(0) @binding(${2 + k}) var<storage, read> grad_${k}: array<${bitsType(kind)}>;`;
}

/** The loops stand once per part, because WGSL can choose an array at run time only by a branch at each access. */
function composePart(k: number, { access, codec }: GradientKind, hasMask: boolean): string {
  const idle = `    if (!any(active_in(i, part.element_count))) {
      continue;
    }
`;
  const kind = { access, ...(codec && { codec }) };
  const lanes = { array: `grad_${k}`, ...kind, base: 'part.base', elementCount: 'part.element_count' };
  return `
fn load_${k}(part: Part, i: u32) -> vec4<u32> {
${composeLoadBits(lanes)}
}

fn add_part_${k}(given: Squares, workgroup: u32, local_index: u32) -> Squares {
  let part = uniform_portion.parts[${k}];
  let lanes = own_lanes(workgroup, local_index, part.lane_count);
  var sums = given;
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
${hasMask ? idle : ''}    let bits = masked(load_${k}(part, i), i, part.element_count);
    if (GATHERED) {
      workspace[part.gathered_lane + i] = bits;
    }
    sums = add_ordinary_squares(sums, bits);
  }
  return sums;
}

fn add_part_carefully_${k}(given: Squares, workgroup: u32, local_index: u32, is_needed: bool) -> Squares {
  let part = uniform_portion.parts[${k}];
  let lanes = own_lanes(workgroup, local_index, part.lane_count);
  let end = select(lanes.first, lanes.end, is_needed);
  var sums = given;
  for (var i = lanes.first; i < end; i += lanes.stride) {
    sums = add_squares(sums, masked(load_${k}(part, i), i, part.element_count));
  }
  return sums;
}
`;
}
