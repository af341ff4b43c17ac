import addWgsl from '../../../shaders/stages/outer/add-chunks.wgsl?raw';
import packWgsl from '../../../shaders/stages/outer/top-k.wgsl?raw';
import { bindBuffers } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { makeBuffer, makeFilled } from '../../gpu/make-buffer.js';
import { type PipelineSource, getPipelineSync } from '../../gpu/pipelines.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import { wordStruct, wordView } from '../../kernel/structs.js';
import { type TopKOptions, chunksOf, wordsOfTensor } from '../deltas/top-k.js';
import type { Packing, PackingInput } from './packing.js';
import type { FloatSlabs } from './slabs.js';

/** An entry of the table of chunks: `element` is the first one, of the slab; `word` the first one, of the slab of what is packed. */
const CHUNK = wordStruct('Chunk', { element: 'u32', element_count: 'u32', kept: 'u32', word: 'u32' });

/** The chunks of a slab, and the words that they are packed to. */
interface SlabChunks {
  readonly entries: Readonly<Record<(typeof CHUNK.fields)[number], number>>[];
  wordCount: number;
}

function tableOf(entries: SlabChunks['entries']): Uint32Array<ArrayBuffer> {
  const table = wordView(new ArrayBuffer(CHUNK.byteLength * entries.length));
  entries.forEach((entry, k) => CHUNK.write(table, (CHUNK.byteLength / 4) * k, entry));
  return table.u32;
}

/** Plans deltas that have the largest elements only. */
export function planChunkPacking(
  { device, places, pending, mean, label }: PackingInput,
  options: TopKOptions,
): { readonly sources: readonly PipelineSource[]; make: () => Packing } {
  const constants = { BITS: options.bits };
  const read: GPUBufferBindingLayout = { type: 'read-only-storage', minBindingSize: CHUNK.byteLength };
  const numbers: GPUBufferBindingLayout = { type: 'storage', minBindingSize: 4 };
  const packed: GPUBufferBindingLayout = { type: 'read-only-storage', minBindingSize: 4 };
  const sources = {
    pack: {
      label: `webgpu-optim top-k of ${options.bits} bits`,
      code: CHUNK.wgsl + packWgsl,
      entryPoint: 'pack_chunks',
      constants,
      bindGroups: [[read, packed, numbers]],
    },
    add: {
      label: `webgpu-optim top-k of ${options.bits} bits, added`,
      code: CHUNK.wgsl + addWgsl,
      entryPoint: 'add_chunks',
      constants,
      bindGroups: [[read, numbers, packed, { type: 'uniform' as const, minBindingSize: 16 }]],
    },
  };
  return {
    sources: pending ? [sources.pack, sources.add] : [sources.add],
    make: () => {
      const { slabs, wordsOf } = chunkTables(options, places.ofTensor, places.slabElementCounts.length);
      const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
      const tables = slabs.map(({ entries }, k) =>
        makeFilled(device, `${label} chunks ${k}`, BufferUsage.STORAGE, tableOf(entries)),
      );
      const words = slabs.map(({ wordCount }, k) =>
        makeBuffer(device, `${label} packed ${k}`, 4 * wordCount, usage),
      );
      const makeFactor = (factor: number): GPUBuffer =>
        makeFilled(device, `${label} factor`, BufferUsage.UNIFORM, Float32Array.of(factor, 0, 0, 0));
      const factors = { mean: makeFactor(1), taken: makeFactor(-1), back: makeFactor(1) };
      const bind = (source: PipelineSource, values: FloatSlabs, factor?: GPUBuffer): Dispatch[] => {
        const { pipeline, layouts } = getPipelineSync(device, source);
        return slabs.map(({ entries }, k) => ({
          pipeline,
          count: entries.length,
          group: bindBuffers(device, `${label} ${source.entryPoint}`, layouts[0]!, [
            { buffer: tables[k]! },
            { buffer: values[k]! },
            { buffer: words[k]! },
            ...(factor ? [{ buffer: factor }] : []),
          ]),
        }));
      };
      const packing = pending ? bind(sources.pack, pending) : [];
      const taken = pending ? bind(sources.add, pending, factors.taken) : [];
      const back = pending ? bind(sources.add, pending, factors.back) : [];
      const adding = bind(sources.add, mean, factors.mean);
      const rangesOf = (tensor: number): ByteRange[] =>
        wordsOf[tensor]!.map(({ slab, word, wordCount }) => ({
          buffer: words[slab]!,
          byteOffset: 4 * word,
          byteLength: 4 * wordCount,
        }));
      return {
        ranges: rangesOf,
        write: (bytesOf) => {
          const all = words.map(({ size }) => new Uint8Array(size));
          wordsOf.forEach((pieces, tensor) => {
            const bytes = bytesOf(tensor);
            let done = 0;
            for (const { slab, word, wordCount } of pieces) {
              all[slab]!.set(bytes.subarray(done, done + 4 * wordCount), 4 * word);
              done += 4 * wordCount;
            }
          });
          words.forEach((buffer, k) => device.queue.writeBuffer(buffer, 0, all[k]!));
        },
        encodePack: (pass) => encodeAll(device, pass, packing),
        encodeTaking: (pass, isBack) => encodeAll(device, pass, isBack ? back : taken),
        encodeAdding: (pass) => encodeAll(device, pass, adding),
        setFactor: (factor) => device.queue.writeBuffer(factors.mean, 0, Float32Array.of(factor)),
        destroy: () => {
          for (const each of [...tables, ...words, ...Object.values(factors)]) each.destroy();
        },
      };
    },
  };
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Chunks, a workgroup each. */
  readonly count: number;
}

function encodeAll(
  { limits }: GPUDevice,
  pass: GPUComputePassEncoder,
  dispatches: readonly Dispatch[],
): void {
  for (const { pipeline, group, count } of dispatches) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    const columns = Math.min(count, limits.maxComputeWorkgroupsPerDimension);
    pass.dispatchWorkgroups(columns, Math.ceil(count / columns));
  }
}

/** The chunks of each slab, and where the words of each tensor lie. Pieces of a tensor hold whole chunks. */
function chunkTables(
  options: TopKOptions,
  ofTensor: PackingInput['places']['ofTensor'],
  slabCount: number,
): {
  readonly slabs: readonly SlabChunks[];
  readonly wordsOf: { readonly slab: number; readonly word: number; readonly wordCount: number }[][];
} {
  const slabs = Array.from({ length: slabCount }, (): SlabChunks => ({ entries: [], wordCount: 0 }));
  const wordsOf = ofTensor.map((pieces) =>
    pieces.map(({ slab, element, elementCount }) => {
      const own = slabs[slab]!;
      const first = own.wordCount;
      for (const chunk of chunksOf(options, elementCount)) {
        own.entries.push({
          element: element + chunk.element,
          element_count: chunk.elementCount,
          kept: chunk.kept,
          word: first + chunk.word,
        });
      }
      const wordCount = wordsOfTensor(options, elementCount);
      own.wordCount += wordCount;
      return { slab, word: first, wordCount };
    }),
  );
  return { slabs, wordsOf };
}
