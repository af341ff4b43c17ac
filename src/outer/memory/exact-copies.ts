import { byteLengthOf } from '../../codecs/codec.js';
import { f32 } from '../../codecs/f32.js';
import type { GroupPart, RunTensor } from '../../engine/run/group-part.js';
import type { Resources } from '../../engine/run/resources.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type RangeCopy, encodeCopies } from '../../gpu/copies/copy-ranges.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import type { Planned } from '../../gpu/pipelines.js';
import type { PlanTensor, StatePiece } from '../../plan/pieces.js';
import { pack, unpack } from '../../stages/side/recode.js';
import { type SidePass, planSidePass } from '../../stages/side/side-pass.js';
import { type FloatSlabs, floatRanges } from './slabs.js';

/** A parameter whose weights are kept more exactly by `masterWeights`, and the place of its float32. */
export interface ExactTensor {
  readonly tensor: RunTensor;
  readonly place: readonly StatePiece[];
}

/** A group of such parameters: copies of its weights, which lie as its masters do, since a pass has one place for all that it keeps. */
interface Part {
  readonly copies: readonly GPUBuffer[];
  readonly loading: SidePass;
  readonly storing: SidePass;
  /** From these to the places of ours, tensor by tensor. */
  readonly moves: readonly RangeCopy[];
}

/** Weights that `masterWeights` keeps more exactly, as float32 in places of ours: read from their buffers and masters, and written back. */
export class ExactCopies {
  constructor(
    private readonly device: GPUDevice,
    private readonly parts: readonly Part[],
    private readonly label: string,
  ) {}

  encodeLoading(encoder: GPUCommandEncoder): void {
    this.#encodePass(encoder, ({ loading }) => loading);
    const moves = this.parts.flatMap((part) => part.moves);
    encodeCopies(this.device, encoder, moves, this.label)();
  }

  encodeStoring(encoder: GPUCommandEncoder): void {
    const moves = this.parts.flatMap((part) => part.moves.map(({ from, to }) => ({ from: to, to: from })));
    encodeCopies(this.device, encoder, moves, this.label)();
    this.#encodePass(encoder, ({ storing }) => storing);
  }

  destroy(): void {
    for (const { copies, loading, storing } of this.parts) {
      for (const each of [loading, storing, ...copies]) each.destroy();
    }
  }

  #encodePass(encoder: GPUCommandEncoder, passOf: (part: Part) => SidePass): void {
    const pass = encoder.beginComputePass({ label: this.label });
    for (const part of this.parts) passOf(part).encode(pass);
    pass.end();
  }
}

/** Plans copies of parameters, all of groups with masters. @param slabs where they come to lie. */
export function planExactCopies(
  { device, facts, nameOf }: Pick<Resources, 'device' | 'facts' | 'nameOf'>,
  tensors: readonly ExactTensor[],
  slabs: FloatSlabs,
  label: string,
): Planned<ExactCopies> {
  const byPart = new Map<GroupPart, ExactTensor[]>();
  for (const each of tensors) {
    const { part } = each.tensor;
    byPart.set(part, [...(byPart.get(part) ?? []), each]);
  }
  const planned = Array.from(byPart, ([part, own]) => {
    const copies: GPUBuffer[] = [];
    const masters = part.layout.masters!;
    const side = {
      device,
      facts,
      nameOf,
      masters,
      rows: [{}],
      tensors: own.map(({ tensor }): PlanTensor<GPUBuffer> => {
        const { data, rowLength } = tensor.parameter;
        const state = part.slabs.placeOf(tensor.index);
        return { index: tensor.index, row: 0, data, state, ...(rowLength !== undefined && { rowLength }) };
      }),
      slab: (slot: string, k: number) => (slot === masters.slot ? part.slabs.slab(slot, k) : copies[k]!),
      label: `${label} exact`,
    };
    const loading = planSidePass({ ...side, rule: pack() });
    const storing = planSidePass({ ...side, rule: unpack() });
    return { part, own, copies, loading, storing };
  });
  return {
    sources: planned.flatMap(({ loading, storing }) => [...loading.sources, ...storing.sources]),
    make: () => {
      const parts = planned.map(({ part, own, copies, loading, storing }): Part => {
        copies.push(...makeCopies(device, part, own, label));
        return {
          copies,
          loading: loading.make(),
          storing: storing.make(),
          moves: own.map(({ tensor, place }) => ({
            from: floatRanges(copies, part.slabs.placeOf(tensor.index)),
            to: floatRanges(slabs, place),
          })),
        };
      });
      return new ExactCopies(device, parts, `${label} exact`);
    },
  };
}

/** Float32 for all that a group's masters have places for. */
function makeCopies(
  device: GPUDevice,
  part: GroupPart,
  own: readonly ExactTensor[],
  label: string,
): GPUBuffer[] {
  const { slot, codec } = part.layout.masters!;
  const slabs = own.flatMap(({ tensor }) => part.slabs.placeOf(tensor.index).map(({ slab }) => slab));
  return Array.from({ length: Math.max(...slabs) + 1 }, (_, k) => {
    const elementCount = (part.slabs.slab(slot, k).size / codec.blockByteLength) * codec.blockLength;
    const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    return makeBuffer(device, `${label} exact weights ${k}`, byteLengthOf(f32, elementCount), usage);
  });
}
