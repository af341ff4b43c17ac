import mapWgsl from '../../../shaders/stages/rows/map-rows.wgsl?raw';
import { bindBuffers } from '../../gpu/bind-groups.js';
import { createFilled } from '../../gpu/filled-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import { alignDown } from '../../kernel/alignment.js';
import { type KernelShape, chooseGrid, chooseShape } from '../../kernel/shape.js';
import { wordStruct, wordView } from '../../kernel/structs.js';
import { bindPiece, bindingAlignment, elementsIn, skipElements } from '../../plan/cut.js';
import { ELEMENT_BYTE_LENGTH, LANE, type Piece } from '../../plan/pieces.js';

/** In a map: a row that was not there before. */
export const FRESH_ROW = 0xffff_ffff;

/** Where rows go. */
export interface RowMap {
  /** One u32 per row of the target. */
  readonly entries: Piece<GPUBuffer>;
  /** Rows that entries may name. */
  readonly rowsBefore: number;
  readonly rowLength: number;
}

/** What is moved: from where to where. Fresh rows stay as the target has them. */
export interface RowMove {
  readonly map: RowMap;
  readonly source: readonly Piece<GPUBuffer>[];
  readonly target: readonly Piece<GPUBuffer>[];
  /** Whether rows that are no fresh ones stay where they are, whichever they were. */
  readonly stays?: boolean;
  /** Whether entries that name no row are counted here. */
  readonly countsStrays?: boolean;
}

const PORTION = wordStruct('Portion', {
  first_row: 'u32',
  row_count: 'u32',
  first: 'u32',
  end: 'u32',
  source_first_row: 'u32',
  source_end_row: 'u32',
  source_first: 'u32',
  source_end: 'u32',
  source_base: 'u32',
  source_stride: 'u32',
  target_base: 'u32',
  target_stride: 'u32',
  first_entry: 'u32',
  rows_before: 'u32',
  counts_strays: 'u32',
});

/** Longer shares of a row are moved in a loop, which costs more than as many statements. */
const MOST_STATEMENTS = 16;

/** A piece that one binding reaches, and the element of the tensor at which it begins. */
interface Part extends Piece<GPUBuffer> {
  readonly first: number;
}

/** Moves rows on the GPU. */
export class RowMapper {
  readonly #own: GPUBuffer[] = [];
  /** What is bound where nothing is counted. */
  #nothing: GPUBuffer | undefined;

  /**
   * @param strays one u32, with STORAGE: entries that name no row are counted in it; absent where there can be none.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly strays: GPUBuffer | undefined,
    /** What of the kernels' shape is not to be chosen. */
    private readonly shape: Partial<KernelShape>,
    private readonly label: string,
  ) {}

  /** Encodes a move; run it in error scopes. What it makes lives until {@link destroy}. */
  encode(
    pass: GPUComputePassEncoder,
    { map, source, target, stays = false, countsStrays = false }: RowMove,
  ): void {
    const { device, label } = this;
    const { limits } = device;
    const isWhole =
      map.rowLength % LANE === 0 &&
      [...source, ...target].every(
        ({ byteOffset, elementCount, rows }) => !rows && byteOffset % 16 === 0 && elementCount % LANE === 0,
      );
    const width = isWhole ? LANE : 1;
    const rowLength = map.rowLength / width;
    const entries = bindPiece(map.entries, bindingAlignment(limits));
    const sources = partsOf(source, map.rowLength, limits);
    for (const to of partsOf(target, map.rowLength, limits)) {
      const [firstRow, endRow] = rowsOf(to, map.rowLength);
      const rowCount = endRow - firstRow;
      const shape = { ...chooseShape(device.adapterInfo, rowCount * rowLength), ...this.shape };
      const share = shareOf(shape, rowLength);
      for (const [k, from] of sources.entries()) {
        const isCut = [to, from].some((part) => isWithinRows(part, map.rowLength));
        const pipeline = getPipelineSync(device, mapSource({ ...share, rowLength, width, stays, isCut }));
        const words = wordView(new ArrayBuffer(PORTION.byteLength));
        const [sourceBinding, ...ofSource] = bind(from, limits, map.rowLength, width);
        const [targetBinding, ...ofTarget] = bind(to, limits, map.rowLength, width);
        const [sourceFirstRow, sourceEndRow] = rowsOf(from, map.rowLength);
        PORTION.write(words, 0, {
          first_row: firstRow,
          row_count: rowCount,
          first: to.first / width,
          end: (to.first + to.elementCount) / width,
          source_first_row: sourceFirstRow,
          source_end_row: sourceEndRow,
          source_first: from.first / width,
          source_end: (from.first + from.elementCount) / width,
          source_base: ofSource[0],
          source_stride: ofSource[1],
          target_base: ofTarget[0],
          target_stride: ofTarget[1],
          first_entry: (map.entries.byteOffset - entries.offset) / ELEMENT_BYTE_LENGTH,
          rows_before: map.rowsBefore,
          counts_strays: Number(countsStrays && k === 0),
        });
        const portion = createFilled(device, `${label} portion`, BufferUsage.UNIFORM, words.u32);
        this.#own.push(portion);
        const group = bindBuffers(device, label, pipeline.layouts[0]!, [
          { buffer: portion },
          entries,
          sourceBinding,
          targetBinding,
          { buffer: this.strays ?? this.#makeNothing() },
        ]);
        pass.setPipeline(pipeline.pipeline);
        pass.setBindGroup(0, group);
        const invocations = Math.ceil(rowCount / share.rowsPerInvocation) * (rowLength / share.length);
        const most = limits.maxComputeWorkgroupsPerDimension;
        pass.dispatchWorkgroups(...chooseGrid(invocations, { ...shape, lanesPerInvocation: 1 }, most));
      }
    }
  }

  /** Keeps a buffer that a move needs until {@link destroy}. */
  keep(buffer: GPUBuffer): GPUBuffer {
    this.#own.push(buffer);
    return buffer;
  }

  /** Frees what moves were made with; those that are submitted end as they would have. */
  destroy(): void {
    for (const buffer of this.#own) buffer.destroy();
  }

  #makeNothing(): GPUBuffer {
    const { device, label } = this;
    this.#nothing ??= this.keep(
      device.createBuffer({ label: `${label} nothing`, size: 4, usage: BufferUsage.STORAGE }),
    );
    return this.#nothing;
  }
}

/** How the rows of a kernel are shared out among invocations. */
interface Share {
  readonly workgroupSize: number;
  readonly rowsPerInvocation: number;
  /** Units of each of these rows. */
  readonly length: number;
}

/** Whole rows where an invocation is to move neighbours, else a unit each, so that neighbours touch neighbouring addresses. */
function shareOf(shape: KernelShape, rowLength: number): Share {
  const { workgroupSize, lanesPerInvocation, consecutive } = shape;
  if (!consecutive) return { workgroupSize, rowsPerInvocation: lanesPerInvocation, length: 1 };
  const rowsPerInvocation = Math.max(1, Math.floor(lanesPerInvocation / rowLength));
  return { workgroupSize, rowsPerInvocation, length: rowLength };
}

/** What one kernel is made for. */
interface MapKernel extends Share {
  readonly rowLength: number;
  /** Elements of a unit. */
  readonly width: number;
  readonly stays: boolean;
  readonly isCut: boolean;
}

function mapSource(kernel: MapKernel): PipelineSource {
  const { width, length, isCut } = kernel;
  const move = (k: string) =>
    isCut ? `move_unit(row, origin, column + ${k});` : `target_units[to + ${k}] = source[at + ${k}];`;
  const statements =
    length <= MOST_STATEMENTS
      ? Array.from({ length }, (_, k) => `  ${move(`${k}u`)}`).join('\n')
      : `  for (var k = 0u; k < SHARE; k++) {\n    ${move('k')}\n  }`;
  return {
    label: 'webgpu-optim map rows',
    code: `alias unit = ${width === 1 ? 'f32' : 'vec4<f32>'};
${PORTION.wgsl}
${mapWgsl}
fn move_units(row: u32, origin: u32, column: u32) {
  let to = portion.target_base + row * portion.target_stride + column;
  let at = portion.source_base + origin * portion.source_stride + column;
${statements}
}`,
    entryPoint: 'map_rows',
    constants: {
      WORKGROUP_SIZE: kernel.workgroupSize,
      ROWS_PER_INVOCATION: kernel.rowsPerInvocation,
      ROW_LENGTH: kernel.rowLength,
      SHARE: length,
      STAYS: Number(kernel.stays),
      IS_CUT: Number(kernel.isCut),
    },
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: PORTION.byteLength },
        { type: 'read-only-storage', minBindingSize: 4 },
        { type: 'read-only-storage', minBindingSize: ELEMENT_BYTE_LENGTH * width },
        { type: 'storage', minBindingSize: ELEMENT_BYTE_LENGTH * width },
        { type: 'storage', minBindingSize: 4 },
      ],
    ],
  };
}

/** The rows that a part has elements of. */
function rowsOf({ first, elementCount }: Part, rowLength: number): readonly [first: number, end: number] {
  return [Math.floor(first / rowLength), Math.ceil((first + elementCount) / rowLength)];
}

function isWithinRows({ first, elementCount }: Part, rowLength: number): boolean {
  return first % rowLength !== 0 || elementCount % rowLength !== 0;
}

/** Pieces cut to what one binding reaches, between rows if it can be, each at the element of the tensor at which it begins. */
function partsOf(pieces: readonly Piece<GPUBuffer>[], rowLength: number, limits: GPUSupportedLimits): Part[] {
  const alignment = bindingAlignment(limits);
  const byteLength = alignDown(limits.maxStorageBufferBindingSize, alignment) - alignment;
  const parts: Part[] = [];
  let first = 0;
  for (const piece of pieces) {
    const room = elementsIn(byteLength, piece);
    const most = room > rowLength ? alignDown(room, rowLength) : room;
    for (let done = 0; done < piece.elementCount; done += most) {
      const elementCount = Math.min(most, piece.elementCount - done);
      parts.push({ ...skipElements(piece, done), elementCount, first: first + done });
    }
    first += piece.elementCount;
  }
  return parts;
}

/** The binding of a part; in units, where row 0 of the tensor would lie in it, and from there each next row. */
function bind(
  part: Part,
  limits: GPUSupportedLimits,
  rowLength: number,
  width: number,
): readonly [GPUBufferBinding, base: number, stride: number] {
  const binding = bindPiece(part, bindingAlignment(limits));
  const lead = (part.byteOffset - binding.offset) / ELEMENT_BYTE_LENGTH;
  const stride = part.rows ? part.rows.byteStride / ELEMENT_BYTE_LENGTH : rowLength;
  // A part of rows without gaps may begin within one.
  const row = Math.floor(part.first / rowLength);
  const base = lead - row * stride - (part.first % rowLength);
  return [binding, (base / width) >>> 0, stride / width];
}
