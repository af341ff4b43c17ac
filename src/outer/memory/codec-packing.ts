import { byteLengthOf as codecByteLength, bytesOf, type Codec } from '../../codecs/codec.js';
import type { PipelineSource } from '../../gpu/pipelines.js';
import { rowLayout } from '../../kernel/row.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import { interpolate } from '../../stages/side/evaluation.js';
import { pack } from '../../stages/side/recode.js';
import { type SidePass, planSidePass } from '../../stages/side/side-pass.js';
import { byteLengthOf, isLossy } from '../deltas/compress.js';
import type { Packing, PackingInput } from './packing.js';
import { makeSlabs, tensorsIn, wholeSlabs } from './slabs.js';

/** Byte of the factor in the only row of a pass that adds. */
const FACTOR_OFFSET = 4 * rowLayout(layoutOf(interpolate())).struct.wordOf('factor');

/** Plans deltas that have all elements. */
export function planCodecPacking(
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
