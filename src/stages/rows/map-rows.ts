import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import mapWgsl from '../../../shaders/stages/rows/map-rows.wgsl?raw';
import { bindBuffers } from '../../gpu/bind-groups.js';
import { createFilled } from '../../gpu/filled-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import { alignDown } from '../../kernel/alignment.js';
import { type KernelShape, chooseGrid, chooseShape, shapeConstants } from '../../kernel/shape.js';
import { wordStruct, wordView } from '../../kernel/structs.js';
import { bindPiece, bindingAlignment, elementsIn, skipElements } from '../../plan/cut.js';
import { ELEMENT_BYTE_LENGTH, LANE, type Piece } from '../../plan/pieces.js';

/** In a map: a row that was not there before. */
export const FRESH_ROW = 0xffff_ffff;

/** Where rows go. */
export interface RowMap {
  /** One u32 per row of the target; absent where all rows stay. */
  readonly entries: Piece<GPUBuffer> | undefined;
  /** Rows of the source that entries may name. */
  readonly rowsBefore: number;
  readonly rowLength: number;
}

/** What is moved: from where to where. Fresh rows stay as the target has them. */
export interface RowMove {
  readonly map: RowMap;
  readonly source: readonly Piece<GPUBuffer>[];
  readonly target: readonly Piece<GPUBuffer>[];
  /** Whether entries that name no row are counted here. */
  readonly countsStrays: boolean;
}

const PORTION = wordStruct('Portion', {
  first: 'u32',
  count: 'u32',
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

/** A piece that one binding reaches, and the element of the tensor at which it begins. */
interface Part extends Piece<GPUBuffer> {
  readonly first: number;
}

/** Moves rows on the GPU. */
export class RowMapper {
  readonly #own: GPUBuffer[] = [];
  /** What stands where nothing is read, and where nothing is counted: one buffer cannot be both in one dispatch. */
  readonly #nothing = new Map<'read' | 'counted', GPUBuffer>();

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
  encode(pass: GPUComputePassEncoder, { map, source, target, countsStrays }: RowMove): void {
    const { device, label } = this;
    const isWhole =
      map.rowLength % LANE === 0 &&
      [...source, ...target].every(
        ({ byteOffset, elementCount, rows }) => !rows && byteOffset % 16 === 0 && elementCount % LANE === 0,
      );
    const width = isWhole ? LANE : 1;
    const entries = map.entries && bindPiece(map.entries, bindingAlignment(device.limits));
    const firstEntry = map.entries ? (map.entries.byteOffset - entries!.offset) / ELEMENT_BYTE_LENGTH : 0;
    const targets = partsOf(target, device.limits);
    const sources = partsOf(source, device.limits);
    for (const to of targets) {
      for (const [k, from] of sources.entries()) {
        const shape = { ...chooseShape(device.adapterInfo, to.elementCount / width), ...this.shape };
        const pipeline = getPipelineSync(device, mapSource(shape, map, width));
        const words = wordView(new ArrayBuffer(PORTION.byteLength));
        const [sourceBinding, ...ofSource] = bind(from, device.limits, map.rowLength, width);
        const [targetBinding, ...ofTarget] = bind(to, device.limits, map.rowLength, width);
        PORTION.write(words, 0, {
          first: to.first / width,
          count: to.elementCount / width,
          source_first: from.first / width,
          source_end: (from.first + from.elementCount) / width,
          source_base: ofSource[0],
          source_stride: ofSource[1],
          target_base: ofTarget[0],
          target_stride: ofTarget[1],
          first_entry: firstEntry,
          rows_before: map.rowsBefore,
          counts_strays: Number(countsStrays && k === 0),
        });
        const portion = createFilled(device, `${label} portion`, BufferUsage.UNIFORM, words.u32);
        this.#own.push(portion);
        const group = bindBuffers(device, label, pipeline.layouts[0]!, [
          { buffer: portion },
          entries ?? { buffer: this.#nothingFor('read') },
          sourceBinding,
          targetBinding,
          { buffer: (map.entries && this.strays) ?? this.#nothingFor('counted') },
        ]);
        pass.setPipeline(pipeline.pipeline);
        pass.setBindGroup(0, group);
        const [x, y] = chooseGrid(
          to.elementCount / width,
          shape,
          device.limits.maxComputeWorkgroupsPerDimension,
        );
        pass.dispatchWorkgroups(x, y);
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

  #nothingFor(use: 'read' | 'counted'): GPUBuffer {
    let buffer = this.#nothing.get(use);
    if (!buffer) {
      const { device, label } = this;
      buffer = device.createBuffer({ label: `${label} nothing`, size: 4, usage: BufferUsage.STORAGE });
      this.#nothing.set(use, this.keep(buffer));
    }
    return buffer;
  }
}

function mapSource(shape: KernelShape, map: RowMap, width: number): PipelineSource {
  return {
    label: 'webgpu-optim map rows',
    code: `alias unit = ${width === 1 ? 'f32' : 'vec4<f32>'};
${PORTION.wgsl}
${lanesWgsl}
${mapWgsl}`,
    entryPoint: 'map_rows',
    constants: {
      ...shapeConstants(shape),
      ROW_LENGTH: map.rowLength / width,
      IS_IDENTITY: Number(map.entries === undefined),
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

/** Pieces cut to what one binding reaches, each at the element of the tensor at which it begins. */
function partsOf(pieces: readonly Piece<GPUBuffer>[], limits: GPUSupportedLimits): Part[] {
  const alignment = bindingAlignment(limits);
  const byteLength = alignDown(limits.maxStorageBufferBindingSize, alignment) - alignment;
  const parts: Part[] = [];
  let first = 0;
  for (const piece of pieces) {
    const { elementCount } = piece;
    const most = elementsIn(byteLength, piece);
    for (let done = 0; done < elementCount; done += most) {
      const count = Math.min(most, elementCount - done);
      parts.push({ ...skipElements(piece, done), elementCount: count, first: first + done });
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
