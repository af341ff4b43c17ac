import { byteLengthOf as codecByteLength, bytesOf, type Codec } from '../codecs/codec.js';
import type { ByteRange } from '../gpu/byte-range.js';
import type { PipelineSource } from '../gpu/pipelines.js';
import { rowLayout } from '../kernel/row.js';
import { layoutOf } from '../kernel/rule-layout.js';
import type { StretchFacts } from '../plan/stretch.js';
import { interpolate } from '../stages/side/evaluation.js';
import { pack } from '../stages/side/recode.js';
import { type SidePass, planSidePass } from '../stages/side/side-pass.js';
import { planChunkPacking } from './chunk-packing.js';
import { type DeltaFormat, byteLengthOf, isLossy } from './compress.js';
import type { Places } from './places.js';
import { type FloatSlabs, makeSlabs, tensorsIn, wholeSlabs } from './slabs.js';

/** Where numbers come from and go to. */
export interface PackingInput {
  readonly device: GPUDevice;
  readonly facts: StretchFacts<GPUBuffer>;
  readonly places: Places;
  readonly format: DeltaFormat;
  /** What is packed, and what is left over of it; absent where deltas of this format are only read. */
  readonly pending: FloatSlabs | undefined;
  /** What is added to. */
  readonly mean: FloatSlabs;
  readonly label: string;
}

/** Deltas of one format, on the GPU: one at a time. */
export interface Packing {
  /** Where the bytes of a tensor lie, whole words. */
  ranges(tensor: number): readonly ByteRange[];
  /** Puts bytes in place. @param bytesOf those of a tensor, as in a file. */
  write(bytesOf: (tensor: number) => Uint8Array<ArrayBuffer>): void;
  /** Packs what is pending. */
  encodePack(pass: GPUComputePassEncoder): void;
  /** Takes what is packed from what is pending, or adds it to that again. */
  encodeTaking(pass: GPUComputePassEncoder, isBack: boolean): void;
  /** Adds what is packed to the mean; it is to be submitted before the next factor is set. */
  encodeAdding(pass: GPUComputePassEncoder): void;
  /** What the mean gets of it. */
  setFactor(factor: number): void;
  destroy(): void;
}

/** Byte of the factor in the only row of a pass that adds. */
const FACTOR_OFFSET = 4 * rowLayout(layoutOf(interpolate())).struct.wordOf('factor');

/** Plans it. */
export function planPacking(input: PackingInput): {
  readonly sources: readonly PipelineSource[];
  make(): Packing;
} {
  const { format } = input;
  return format.codec ? planCodecPacking(input, format.codec) : planChunkPacking(input, format.topK);
}

function planCodecPacking(
  input: PackingInput,
  codec: Codec,
): { readonly sources: readonly PipelineSource[]; make: () => Packing } {
  const { device, facts, places, format, pending, mean, label } = input;
  const { slabElementCounts, ofTensor } = places;
  const slabs: GPUBuffer[] = [];
  const side = {
    device,
    facts,
    codec,
    nameOf: () => 'the delta',
    slab: (_: string, k: number) => slabs[k]!,
    label,
  };
  const isPacked = pending !== undefined && isLossy(format);
  const packed = codec.isScaled ? tensorsIn : wholeSlabs;
  const planned = {
    packing: isPacked
      ? planSidePass({ ...side, rule: pack(), rows: [{}], tensors: packed(pending, places) })
      : undefined,
    taking: isPacked
      ? planSidePass({
          ...side,
          rule: interpolate(),
          rows: [{ factor: -1 }, { factor: 1 }],
          tensors: wholeSlabs(pending, places),
        })
      : undefined,
    adding: planSidePass({
      ...side,
      rule: interpolate(),
      rows: [{ factor: 1 }],
      tensors: wholeSlabs(mean, places),
    }),
  };
  const sizes = slabElementCounts.map((elementCount) => codecByteLength(codec, elementCount));
  const spanOf = (piece: (typeof ofTensor)[number][number]) => bytesOf(codec, piece);
  return {
    sources: Object.values(planned).flatMap((each) => each?.sources ?? []),
    make: () => {
      slabs.push(...makeSlabs(device, places, `${label} packed`, (count) => codecByteLength(codec, count)));
      const packing = planned.packing?.make();
      const taking = planned.taking?.make();
      const adding: SidePass = planned.adding.make();
      const own = isPacked || pending === undefined ? slabs : pending;
      return {
        ranges: (tensor) =>
          ofTensor[tensor]!.map((piece) => {
            const { offset, size } = spanOf(piece);
            return { buffer: own[piece.slab]!, byteOffset: offset, byteLength: size };
          }),
        write: (bytesOfTensor) => {
          const all = sizes.map((size) => new Uint8Array(size));
          ofTensor.forEach((pieces, tensor) => {
            const bytes = bytesOfTensor(tensor);
            let done = 0;
            for (const piece of pieces) {
              const size = Math.min(byteLengthOf(format, piece.elementCount), bytes.byteLength - done);
              all[piece.slab]!.set(bytes.subarray(done, done + size), spanOf(piece).offset);
              done += size;
            }
          });
          slabs.forEach((slab, k) => device.queue.writeBuffer(slab, 0, all[k]!));
        },
        encodePack: (pass) => packing?.encode(pass),
        encodeTaking: (pass, isBack) => taking?.encode(pass, isBack ? 1 : 0),
        encodeAdding: (pass) => adding.encode(pass),
        setFactor: (factor) =>
          device.queue.writeBuffer(adding.rows.buffer, FACTOR_OFFSET, Float32Array.of(factor)),
        destroy: () => {
          for (const each of [packing, taking, adding, ...slabs]) each?.destroy();
        },
      };
    },
  };
}
