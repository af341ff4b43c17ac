import type { Codec } from '../../../codecs/codec.js';
import { f32 } from '../../../codecs/f32.js';
import { makeBuffer } from '../../../gpu/make-buffer.js';
import { type Refusal, captureErrors } from '../../../gpu/refusal.js';
import { encodeGathering } from '../../../gpu/copies/gather-copies.js';
import { totalByteLength, type ByteRange } from '../../../gpu/copies/byte-range.js';
import * as BufferUsage from '../../../gpu/buffer-usage.js';
import { rejectUnreadable } from '../../../gpu/copies/readback.js';
import { makePacking } from '../../../stages/side/rows.js';
import type { Insides } from '../../session.js';
import type { RunTensor } from '../../run/group-part.js';
import type { StateDict } from '../../saved/state-dict.js';
import { noteRun, shapeOf } from './noting.js';
import { rangesOf } from './reading.js';

/** The most that one copy holds: copies are freed one by one. */
const COPY_BYTE_LENGTH = 16 * 2 ** 20;

/** Values and where they lie. */
export interface SnapshotTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly codec: Codec;
  readonly elementCount: number;
  /** Of all ranges: whole words. */
  readonly byteLength: number;
  readonly ranges: readonly ByteRange[];
}

/** What says where a tensor is in a file. */
export interface TensorKind {
  readonly name: string;
  readonly dtype: Codec['dtype'];
}

const kindOf = ({ name, codec }: Pick<SnapshotTensor, 'name' | 'codec'>): TensorKind => ({
  name,
  dtype: codec.dtype,
});

/** A run at one moment, in memory of its own if that could be had. */
export interface Snapshot {
  /** The state dict, but for the state. */
  readonly dict: Promise<Omit<StateDict, 'state'>>;
  /** Names of the parameters that rest. */
  readonly frozen: readonly string[];
  readonly tensors: readonly SnapshotTensor[];
  /** What the device had against the copies, if anything. */
  readonly refusal: Promise<Refusal | undefined>;
  /** Frees copies that are read: the first so many bytes of all tensors. */
  readonly release: (byteLength: number) => void;
  destroy(): void;
}

/**
 * Notes a run as it is now. All copies are submitted before it returns.
 *
 * @param nameOf the tensors' names: of a slot of a parameter, or of its weights.
 * @param order of the tensors.
 * @param hasParams whether weights are wanted, too.
 * @param isCopied whether state and weights are copied; else the tensors are those that the run has, which must not change meanwhile.
 * @throws OptimizerError `invalid-parameter` for weights that cannot be copied from.
 */
export function takeSnapshot(
  { run, session, reader }: Insides,
  nameOf: (param: string, slot?: string) => string,
  order: (a: TensorKind, b: TensorKind) => number,
  hasParams: boolean,
  isCopied: boolean,
): Snapshot {
  const { device, facts, nameOf: nameOfTensor, label } = run.resources;
  const noted = noteRun(run, session.log);
  const params = hasParams ? run.parts.flatMap((part) => part.tensors) : [];
  for (const { parameter } of params) {
    if (!isApart(parameter))
      rejectUnreadable(rangesOf(parameter.data), `saveCheckpoint(): parameter ${parameter.name}`);
  }
  const frozen = run.parts.flatMap((part) =>
    part.tensors.filter((tensor) => run.rows.isFrozen(tensor)).map(({ parameter }) => parameter.name),
  );
  const dict = reader.read(noted.notes, 'the state').then((bytes) => {
    const { state: _, ...rest } = noted.finish(bytes, {});
    return rest;
  });
  // It is awaited behind the copies.
  dict.catch(() => undefined);
  const packings: { destroy(): void }[] = [];
  const copies: GPUBuffer[] = [];
  let released = 0;
  const { value: tensors, refusal } = captureErrors(device, () => {
    const encoder = device.createCommandEncoder({ label: `${label} checkpoint` });
    const packed = params.map((tensor) => {
      const { index, parameter } = tensor;
      if (!isApart(parameter)) return rangesOf(parameter.data);
      const input = { device, facts, nameOf: nameOfTensor, label: `${label} checkpoint` };
      const { data, rowLength } = parameter;
      const packing = makePacking(input, { index, row: 0, data, rowLength: rowLength! });
      packings.push(packing);
      const pass = encoder.beginComputePass({ label: input.label });
      packing.encode(pass);
      pass.end();
      return packing.ranges;
    });
    const found: Omit<SnapshotTensor, 'byteLength'>[] = [
      ...noted.slots.map(({ name, slot, ...where }) => ({ ...where, name: nameOf(name, slot) })),
      ...params.map(({ parameter }, k) => ({
        name: nameOf(parameter.name),
        shape: shapeOf(parameter),
        elementCount: parameter.elementCount,
        codec: isApart(parameter) ? f32 : (parameter.data[0]!.codec ?? f32),
        ranges: packed[k]!,
      })),
    ];
    found.sort((a, b) => order(kindOf(a), kindOf(b)));
    const list = found.map((tensor) => ({ ...tensor, byteLength: totalByteLength(tensor.ranges) }));
    const all = list.flatMap(({ ranges }) => ranges);
    if (isCopied) {
      encodeGathering(encoder, all, (left) => {
        const size = Math.min(left, COPY_BYTE_LENGTH);
        const usage = BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
        copies.push(makeBuffer(device, `${label} checkpoint`, size, usage));
        return copies.at(-1)!;
      });
    }
    device.queue.submit([encoder.finish()]);
    return isCopied ? placedIn(list, [...copies]) : list;
  });
  return {
    dict,
    frozen,
    tensors,
    refusal,
    release: (byteLength) => {
      while (copies.length > 0 && released + copies[0]!.size <= byteLength) {
        const copy = copies.shift()!;
        released += copy.size;
        copy.destroy();
      }
    },
    destroy: () => {
      for (const each of [...packings, ...copies.splice(0)]) each.destroy();
    },
  };
}

const isApart = ({ data }: RunTensor['parameter']): boolean => data.some(({ rows }) => rows);

/** The tensors where they lie one behind the other in buffers. */
function placedIn(tensors: readonly SnapshotTensor[], buffers: readonly GPUBuffer[]): SnapshotTensor[] {
  let [k, position] = [0, 0];
  return tensors.map((tensor) => {
    const ranges: ByteRange[] = [];
    for (let left = tensor.byteLength; left > 0;) {
      const buffer = buffers[k]!;
      const byteLength = Math.min(left, buffer.size - position);
      ranges.push({ buffer, byteOffset: position, byteLength });
      left -= byteLength;
      position += byteLength;
      if (position === buffer.size) [k, position] = [k + 1, 0];
    }
    return { ...tensor, ranges };
  });
}
