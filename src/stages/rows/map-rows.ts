import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { bindBuffers } from '../../gpu/bind-groups.js';
import { makeBuffer, makeFilled } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { encodeCopies } from '../../gpu/copies/copy-ranges.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import { getPipelineSync } from '../../gpu/pipelines.js';
import { alignDown } from '../../kernel/alignment.js';
import { type KernelShape, chooseGrid, chooseShape } from '../../kernel/shape.js';
import { wordView } from '../../kernel/structs.js';
import { bindPiece, bindingAlignment, elementsIn, skipElements } from '../../plan/cut.js';
import {
  ELEMENT_BYTE_LENGTH,
  type Piece,
  asWords,
  elementByteLengthOf,
  isWoven,
  strideOf,
} from '../../plan/pieces.js';
import { LANE } from '../../codecs/codec.js';
import { PORTION, mapSource, shareOf } from './map-kernel.js';

const FLOATS = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
/** Elements at whose multiples state may be cut, however it is kept. */
const LARGEST_ALIGNMENT = 4096;

/** In a map: a row that was not there before. */
export const FRESH_ROW = 0xffff_ffff;

/** What rows that stay in their buffers go by way of. */
const VIA_BYTE_LENGTH = 64 * 2 ** 20;
/** Columns of a cache line: fewer at once would fetch each line several times. */
const LEAST_COLUMNS = 16;

/** Where rows go. */
export interface RowMap {
  /** One u32 per row of the target. */
  readonly entries: Piece<GPUBuffer>;
  /** Rows that entries may name. */
  readonly rowsBefore: number;
  readonly rowCount: number;
}

/** Some columns of a tensor's rows. */
export interface Columns {
  readonly pieces: readonly Piece<GPUBuffer>[];
  readonly rowLength: number;
  /** The first of them. */
  readonly column: number;
}

/** What is moved: from where to where. Fresh rows stay as the target has them. */
export interface RowMove {
  readonly source: Columns;
  readonly target: Columns;
  readonly columnCount: number;
  /** Whether it is of words that are no float32. */
  readonly isWords?: boolean;
  /** Whether rows that are no fresh ones stay where they are, whichever they were. */
  readonly stays?: boolean;
  /** What fresh rows are filled with, if they are. */
  readonly fresh?: number | undefined;
  /** Whether entries that name no row are counted here. */
  readonly countsStrays?: boolean;
}

/** As a {@link RowMove} of whole rows. */
export interface TensorMove extends Pick<RowMove, 'isWords' | 'stays' | 'fresh' | 'countsStrays'> {
  readonly rowLength: number;
  readonly source: readonly Piece<GPUBuffer>[];
  readonly target: readonly Piece<GPUBuffer>[];
}

/** A piece that one binding reaches, and the element of the tensor at which it begins. */
interface Part extends Piece<GPUBuffer> {
  readonly first: number;
}

/** A mapper by a map on the CPU of as many rows as there are. */
export function uploadedMapper(
  device: GPUDevice,
  map: Uint32Array<ArrayBuffer>,
  longestRow: number,
  label: string,
): RowMapper {
  const buffer = makeFilled(device, `${label} row map`, BufferUsage.STORAGE, map);
  const entries = { buffer, byteOffset: 0, elementCount: map.length };
  const all = { entries, rowsBefore: map.length, rowCount: map.length };
  const mapper = new RowMapper(device, all, longestRow, undefined, {}, label);
  mapper.keep(buffer);
  return mapper;
}

/** Moves rows on the GPU by one map. What it makes lives until {@link destroy}; run it in error scopes. */
export class RowMapper {
  readonly #own: GPUBuffer[] = [];
  readonly #frees: (() => void)[] = [];
  /** What is bound where nothing is counted. */
  #nothing: GPUBuffer | undefined;
  #via: GPUBuffer | undefined;
  #floats: Piece<GPUBuffer>[] | undefined;

  /**
   * @param longestRow elements of the longest row that is to be moved.
   * @param strays one u32, with STORAGE: entries that name no row are counted in it; absent where there can be none.
   * @param viaByteLength what rows that stay in their buffers go by way of: no more than this, or than 16 columns.
   */
  constructor(
    readonly device: GPUDevice,
    readonly map: RowMap,
    private readonly longestRow: number,
    private readonly strays: GPUBuffer | undefined,
    /** What of the kernels' shape is not to be chosen. */
    private readonly shape: Partial<KernelShape>,
    readonly label: string,
    private readonly viaByteLength = VIA_BYTE_LENGTH,
  ) {}

  /** Encodes a move from some buffers to others. */
  encode(encoder: GPUCommandEncoder, { rowLength, source, target, ...others }: TensorMove): void {
    const whole = (pieces: readonly Piece<GPUBuffer>[]) => ({ pieces, rowLength, column: 0 });
    this.#encodeColumns(encoder, {
      ...others,
      source: whole(source),
      target: whole(target),
      columnCount: rowLength,
    });
  }

  /** Encodes a move to where rows come from: some columns at a time go by way of a buffer that is small. */
  encodeInPlace(
    encoder: GPUCommandEncoder,
    { rowLength, source, target, isWords = false, fresh, countsStrays = false }: TensorMove,
  ): void {
    const { device, label } = this;
    const most = this.#columnsAtOnce();
    this.#via ??= this.keep(
      makeBuffer(
        device,
        `${label} by way of`,
        this.map.rowCount * Math.min(most, this.longestRow) * ELEMENT_BYTE_LENGTH,
        BufferUsage.STORAGE | BufferUsage.COPY_SRC,
      ),
    );
    // A copy costs a small part of what a kernel does on CPUs.
    const isCopied =
      fresh !== undefined && most >= rowLength && target.every(({ rows, codec }) => !rows && !codec);
    for (let column = 0; column < rowLength; column += most) {
      const columnCount = Math.min(most, rowLength - column);
      const piece = { buffer: this.#via, byteOffset: 0, elementCount: this.map.rowCount * columnCount };
      const via: Columns = { pieces: [piece], rowLength: columnCount, column: 0 };
      this.#encodeColumns(encoder, {
        source: { pieces: source, rowLength, column },
        target: via,
        columnCount,
        isWords,
        countsStrays: countsStrays && column === 0,
        ...(isCopied && { fresh }),
      });
      if (isCopied) {
        encodeCopies(device, encoder, [{ from: [rangeOf(piece)], to: target.map(rangeOf) }], label);
        continue;
      }
      const back = { pieces: target, rowLength, column };
      this.#encodeColumns(encoder, { source: via, target: back, columnCount, isWords, stays: true, fresh });
    }
  }

  /** Room for the longest rows in float32, as many as there are before and afterwards; the same each time. */
  floats(): readonly Piece<GPUBuffer>[] {
    if (this.#floats) return this.#floats;
    const { device, map, label } = this;
    const most = alignDown(device.limits.maxBufferSize / ELEMENT_BYTE_LENGTH, LARGEST_ALIGNMENT);
    this.#floats = [];
    for (let left = this.longestRow * Math.max(map.rowsBefore, map.rowCount); left > 0; left -= most) {
      const elementCount = Math.min(left, most);
      const byteLength = ELEMENT_BYTE_LENGTH * elementCount;
      const buffer = this.keep(makeBuffer(device, `${label} floats`, byteLength, FLOATS));
      this.#floats.push({ buffer, byteOffset: 0, elementCount });
    }
    return this.#floats;
  }

  /** Encodes a move of some columns. */
  #encodeColumns(
    encoder: GPUCommandEncoder,
    { source, target, columnCount, isWords = false, stays = false, fresh, countsStrays = false }: RowMove,
  ): void {
    const { device, label, map } = this;
    const { limits } = device;
    const width = isWhole(source) && isWhole(target) && columnCount % LANE === 0 ? LANE : 1;
    const columns = columnCount / width;
    const entries = bindPiece(map.entries, bindingAlignment(limits));
    const sources = partsOf(source, limits);
    const pass = encoder.beginComputePass({ label });
    for (const to of partsOf(target, limits)) {
      const [firstRow, endRow] = rowsOf(to, target.rowLength);
      const rowCount = endRow - firstRow;
      const shape = { ...chooseShape(adapterInfoOf(device), rowCount * columns), ...this.shape };
      const share = shareOf(shape, columns);
      for (const [k, from] of sources.entries()) {
        const kernel = {
          ...share,
          width,
          isWords,
          hasHalves: { source: areHalves(source), target: areHalves(target) },
          columnCount: columns,
          sourceRowLength: source.rowLength / width,
          targetRowLength: target.rowLength / width,
          stays,
          fills: fresh !== undefined && k === 0,
          isCut: isWithinRows(to, target.rowLength) || isWithinRows(from, source.rowLength),
        };
        const pipeline = getPipelineSync(device, mapSource(kernel));
        const words = wordView(new ArrayBuffer(PORTION.byteLength));
        const [sourceBinding, ...ofSource] = bind(from, source, limits, width);
        const [targetBinding, ...ofTarget] = bind(to, target, limits, width);
        const [sourceFirstRow, sourceEndRow] = rowsOf(from, source.rowLength);
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
          source_column: source.column / width,
          target_base: ofTarget[0],
          target_stride: ofTarget[1],
          target_column: target.column / width,
          first_entry: (map.entries.byteOffset - entries.offset) / ELEMENT_BYTE_LENGTH,
          rows_before: map.rowsBefore,
          counts_strays: Number(countsStrays && k === 0),
          fresh: fresh ?? 0,
        });
        const portion = this.keep(makeFilled(device, `${label} portion`, BufferUsage.UNIFORM, words.u32));
        const group = bindBuffers(device, label, pipeline.layouts[0]!, [
          { buffer: portion },
          entries,
          sourceBinding,
          targetBinding,
          { buffer: this.strays ?? this.#makeNothing() },
        ]);
        pass.setPipeline(pipeline.pipeline);
        pass.setBindGroup(0, group);
        const invocations = Math.ceil(rowCount / share.rowsPerInvocation) * (columns / share.length);
        const most = limits.maxComputeWorkgroupsPerDimension;
        pass.dispatchWorkgroups(...chooseGrid(invocations, { ...shape, lanesPerInvocation: 1 }, most));
      }
    }
    pass.end();
  }

  /** Keeps a buffer that a move needs until {@link destroy}. */
  keep(buffer: GPUBuffer): GPUBuffer {
    this.#own.push(buffer);
    return buffer;
  }

  /** Calls what frees something that a move needs in {@link destroy}. */
  free(each: () => void): void {
    this.#frees.push(each);
  }

  /** Frees what moves were made with; those that are submitted end as they would have. */
  destroy(): void {
    for (const buffer of this.#own) buffer.destroy();
    for (const free of this.#frees) free();
  }

  /** Columns that go by way of another buffer at once: whole lanes of a longer row. */
  #columnsAtOnce(): number {
    const columnByteLength = this.map.rowCount * ELEMENT_BYTE_LENGTH;
    const wanted = Math.max(LEAST_COLUMNS, Math.floor(this.viaByteLength / columnByteLength));
    const most = Math.min(wanted, Math.floor(this.device.limits.maxBufferSize / columnByteLength));
    return most < LANE ? Math.max(most, 1) : alignDown(most, LANE);
  }

  #makeNothing(): GPUBuffer {
    const { device, label } = this;
    this.#nothing ??= this.keep(makeBuffer(device, `${label} nothing`, 4, BufferUsage.STORAGE));
    return this.#nothing;
  }
}

/** Whether rows are moved by numbers of 2 bytes, which share words. */
const areHalves = ({ pieces }: Columns): boolean => pieces.some(({ codec }) => codec);

/** A move of rows to where a tensor's weights lie; where they are no float32, of the words that have them, if all rows are of whole words. */
export function wordsOfRows(
  rowLength: number,
  source: readonly Piece<GPUBuffer>[],
  target: readonly Piece<GPUBuffer>[],
): Pick<TensorMove, 'rowLength' | 'source' | 'target' | 'isWords'> {
  const { codec } = target[0]!;
  if (!codec) return { rowLength, source, target };
  const words = (rowLength * elementByteLengthOf({ codec })) / ELEMENT_BYTE_LENGTH;
  if (!Number.isInteger(words) || [...source, ...target].some(isWoven)) {
    return { rowLength, source, target, isWords: true };
  }
  return { rowLength: words, source: source.map(asWords), target: target.map(asWords), isWords: true };
}

const rangeOf = ({ buffer, byteOffset, elementCount }: Piece<GPUBuffer>): ByteRange => ({
  buffer,
  byteOffset,
  byteLength: elementCount * ELEMENT_BYTE_LENGTH,
});

/** Whether a tensor is of whole lanes of rows without gaps; some columns of it begin with one, see {@link RowMapper.encodeInPlace}. */
function isWhole({ pieces, rowLength }: Columns): boolean {
  return (
    rowLength % LANE === 0 &&
    pieces.every(
      ({ byteOffset, elementCount, rows, codec }) =>
        !rows && !codec && byteOffset % 16 === 0 && elementCount % LANE === 0,
    )
  );
}

/** The rows that a part has elements of. */
function rowsOf({ first, elementCount }: Part, rowLength: number): readonly [first: number, end: number] {
  return [Math.floor(first / rowLength), Math.ceil((first + elementCount) / rowLength)];
}

function isWithinRows({ first, elementCount }: Part, rowLength: number): boolean {
  return first % rowLength !== 0 || elementCount % rowLength !== 0;
}

/** Pieces cut to what one binding reaches, between rows if it can be, each at the element of the tensor at which it begins. */
function partsOf({ pieces, rowLength }: Columns, limits: GPUSupportedLimits): Part[] {
  const alignment = bindingAlignment(limits);
  const byteLength = alignDown(limits.maxStorageBufferBindingSize, alignment) - alignment;
  const parts: Part[] = [];
  let first = 0;
  for (const piece of pieces) {
    const room = elementsIn(byteLength, piece);
    // Between rows, and between words.
    const unit = piece.codec && !piece.rows ? 2 * rowLength : rowLength;
    const most = room > unit ? alignDown(room, unit) : room;
    for (let done = 0; done < piece.elementCount; done += most) {
      const elementCount = Math.min(most, piece.elementCount - done);
      parts.push({ ...skipElements(piece, done), elementCount, first: first + done });
    }
    first += piece.elementCount;
  }
  return parts;
}

/** The binding of a part; in units, where the columns of row 0 of the tensor would lie in it, and from there each next row. */
function bind(
  part: Part,
  { rowLength, column }: Columns,
  limits: GPUSupportedLimits,
  width: number,
): readonly [GPUBufferBinding, base: number, stride: number] {
  const binding = bindPiece(part, bindingAlignment(limits));
  const lead = (part.byteOffset - binding.offset) / elementByteLengthOf(part);
  const stride = strideOf(part) ?? rowLength;
  // A part of rows without gaps may begin within one.
  const row = Math.floor(part.first / rowLength);
  const base = lead - row * stride - (part.first % rowLength) + column;
  return [binding, (base / width) >>> 0, stride / width];
}
