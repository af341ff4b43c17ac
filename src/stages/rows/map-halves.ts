import wgsl from '../../../shaders/stages/rows/map-halves.wgsl?raw';
import { bindBuffers } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { encodeCopies } from '../../gpu/copy-ranges.js';
import { totalByteLength } from '../../gpu/gather-copies.js';
import { makeBuffer, makeFilled } from '../../gpu/make-buffer.js';
import { getPipelineSync } from '../../gpu/pipelines.js';
import type { ByteRange } from '../../gpu/readback.js';
import { alignDown } from '../../kernel/alignment.js';
import { chooseGrid } from '../../kernel/shape.js';
import { wordStruct, wordView } from '../../kernel/structs.js';
import { bindPiece, bindingAlignment } from '../../plan/cut.js';
import type { RowMap } from './map-rows.js';

const PORTION = wordStruct('Portion', {
  first: 'u32',
  word_count: 'u32',
  element_count: 'u32',
  source_first: 'u32',
  source_end: 'u32',
  source_base: 'u32',
  target_base: 'u32',
  first_entry: 'u32',
  rows_before: 'u32',
  fresh: 'u32',
});

const WORKGROUP_SIZE = 64;
const WORD = 4;
const HALF = 2;

/** What is moved of a tensor: elements of 2 bytes, whole lanes of them in all ranges but the last one. */
export interface HalvesMove {
  readonly rowLength: number;
  readonly source: readonly ByteRange[];
  /** The source, or none of it. */
  readonly target: readonly ByteRange[];
  readonly isInPlace: boolean;
  /** The word that has what a fresh row's elements are in both halves. */
  readonly fresh: number;
}

/** Words that one binding reaches, and the element of the tensor at which they begin. */
interface Part extends ByteRange {
  readonly first: number;
}

/**
 * Encodes that rows of elements of 2 bytes come to lie where a map says.
 *
 * @returns what frees what that takes, once all is submitted.
 */
export function encodeHalves(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  map: RowMap,
  { rowLength, source, target, isInPlace, fresh }: HalvesMove,
  label: string,
): () => void {
  const { limits } = device;
  const alignment = bindingAlignment(limits);
  const own: GPUBuffer[] = [];
  const from = isInPlace ? copyOf(device, encoder, source, label, own) : source;
  const entries = bindPiece(map.entries, alignment);
  const pipeline = getPipelineSync(device, {
    label: 'webgpu-optim map halves',
    code: `${PORTION.wgsl}\n${wgsl}`,
    entryPoint: 'map_halves',
    constants: { WORKGROUP_SIZE, ROW_LENGTH: rowLength },
    bindGroups: [
      [
        { type: 'uniform', minBindingSize: PORTION.byteLength },
        { type: 'read-only-storage', minBindingSize: WORD },
        { type: 'read-only-storage', minBindingSize: WORD },
        { type: 'storage', minBindingSize: WORD },
      ],
    ],
  });
  const pass = encoder.beginComputePass({ label });
  for (const to of partsOf(target, limits)) {
    const wordCount = to.byteLength / WORD;
    const targetBinding = bindRange(to, alignment);
    for (const part of partsOf(from, limits)) {
      const sourceBinding = bindRange(part, alignment);
      const words = wordView(new ArrayBuffer(PORTION.byteLength));
      PORTION.write(words, 0, {
        first: to.first,
        word_count: wordCount,
        element_count: map.rowCount * rowLength,
        source_first: part.first,
        source_end: part.first + part.byteLength / HALF,
        source_base: (part.byteOffset - sourceBinding.offset) / WORD,
        target_base: (to.byteOffset - targetBinding.offset) / WORD,
        first_entry: (map.entries.byteOffset - entries.offset) / WORD,
        rows_before: map.rowsBefore,
        fresh: fresh & 0xffff,
      });
      const portion = makeFilled(device, `${label} portion`, BufferUsage.UNIFORM, words.u32);
      own.push(portion);
      pass.setPipeline(pipeline.pipeline);
      const bound = [{ buffer: portion }, entries, sourceBinding, targetBinding];
      pass.setBindGroup(0, bindBuffers(device, label, pipeline.layouts[0]!, bound));
      const shape = { workgroupSize: WORKGROUP_SIZE, lanesPerInvocation: 1, consecutive: false };
      pass.dispatchWorkgroups(...chooseGrid(wordCount, shape, limits.maxComputeWorkgroupsPerDimension));
    }
  }
  pass.end();
  return () => {
    for (const buffer of own) buffer.destroy();
  };
}

/** As {@link encodeHalves}, by a map on the CPU of as many rows as there are. */
export function encodeUploadedHalves(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  map: Uint32Array<ArrayBuffer>,
  move: HalvesMove,
  label: string,
): () => void {
  const buffer = makeFilled(device, `${label} row map`, BufferUsage.STORAGE, map);
  const entries = { buffer, byteOffset: 0, elementCount: map.length };
  const all = { entries, rowsBefore: map.length, rowCount: map.length };
  const free = encodeHalves(device, encoder, all, move, label);
  return () => {
    free();
    buffer.destroy();
  };
}

/** The same words in a buffer of their own. */
function copyOf(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  ranges: readonly ByteRange[],
  label: string,
  own: GPUBuffer[],
): ByteRange[] {
  const byteLength = totalByteLength(ranges);
  const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
  const buffer = makeBuffer(device, `${label} by way of`, byteLength, usage);
  own.push(buffer);
  const copy = [{ buffer, byteOffset: 0, byteLength }];
  encodeCopies(device, encoder, [{ from: ranges, to: copy }], label);
  return copy;
}

/** Ranges cut to what one binding reaches. */
function partsOf(ranges: readonly ByteRange[], limits: GPUSupportedLimits): Part[] {
  const alignment = bindingAlignment(limits);
  const most = alignDown(limits.maxStorageBufferBindingSize, alignment) - alignment;
  const parts: Part[] = [];
  let first = 0;
  for (const { buffer, byteOffset, byteLength } of ranges) {
    for (let done = 0; done < byteLength; done += most) {
      const length = Math.min(most, byteLength - done);
      parts.push({ buffer, byteOffset: byteOffset + done, byteLength: length, first: first + done / HALF });
    }
    first += byteLength / HALF;
  }
  return parts;
}

function bindRange({ buffer, byteOffset, byteLength }: ByteRange, alignment: number) {
  const offset = alignDown(byteOffset, alignment);
  return { buffer, offset, size: byteOffset + byteLength - offset };
}
