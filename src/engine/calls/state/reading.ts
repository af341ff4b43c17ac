import { quote } from '../../../errors.js';
import { define } from '../../../given.js';
import { type Codec, valuesByteLength } from '../../../codecs/codec.js';
import { f32 } from '../../../codecs/f32.js';
import { slotLength } from '../../../kernel/rule-layout.js';
import type { Reader } from '../../../gpu/copies/readback.js';
import type { ByteRange } from '../../../gpu/copies/byte-range.js';
import { ELEMENT_BYTE_LENGTH, type Piece, asWords, elementByteLengthOf } from '../../../plan/pieces.js';
import { hasRoomForCount } from '../../../stages/update/overflows.js';
import { parseHead } from '../../../stages/control/head.js';
import { parseCount } from '../../../stages/control/step-records.js';
import type { RunTensor } from '../../run/group-part.js';
import type { Run } from '../../run/run.js';
import { readApart } from './packing.js';
import type { StateDict } from '../../saved/state-dict.js';
import { headRange, noteRun } from './noting.js';
import type { StepStats } from '../../stats.js';
import type { Mapping } from '../mapping.js';
import { findSlot } from './state-input.js';
import type { StepLog } from '../../run/step-log.js';

type Floats = Float32Array<ArrayBuffer>;

/** Bytes per kind of what belongs to an optimizer's parameters. */
export interface MemoryUse {
  /** Of the weights, in the caller's buffers. */
  weights: number;
  /** Of the gradients, in the caller's buffers: those of micro-batches, and the values of sparse ones, are among them. */
  gradients: number;
  /** Of the rule's state, which the optimizer keeps. */
  state: number;
  /** Of averages of the weights, which it keeps, too. */
  averages: number;
  /** Of what it keeps of weights of 2 bytes beside the weights themselves, by `masterWeights`. */
  masterWeights: number;
}

/** Without any. */
export const NO_MEMORY: Readonly<MemoryUse> = {
  weights: 0,
  gradients: 0,
  state: 0,
  averages: 0,
  masterWeights: 0,
};

/** The bytes of a tensor's weights or gradients: whole words. */
export function rangesOf(pieces: readonly Piece<GPUBuffer>[]): ByteRange[] {
  return pieces.map(asWords).map(({ buffer, byteOffset, elementCount }) => ({
    buffer,
    byteOffset,
    byteLength: ELEMENT_BYTE_LENGTH * elementCount,
  }));
}

/**
 * Reads the run as it is at the moment of the call: all copies are submitted before a method returns its promise, and what
 * the host knows is noted by then.
 */
export class Reading {
  constructor(
    private readonly run: Run,
    private readonly reader: Reader,
    private readonly log: StepLog,
    private readonly mapping: Pick<Mapping, 'strays'>,
  ) {}

  /** As `Optimizer.memory`. */
  memory(): MemoryUse {
    const use = { ...NO_MEMORY };
    const bytesOf = (pieces: readonly Piece<GPUBuffer>[]): number =>
      pieces.reduce((sum, piece) => sum + elementByteLengthOf(piece) * piece.elementCount, 0);
    for (const { layout, tensors } of this.run.parts) {
      const averages = new Set(layout.averages.map(({ declaration }) => declaration.slot));
      const kindOf = (slot: string): keyof MemoryUse =>
        slot === layout.masters?.slot ? 'masterWeights' : averages.has(slot) ? 'averages' : 'state';
      for (const { parameter } of tensors) {
        const { data, grad, microGrad = [] } = parameter;
        use.weights += bytesOf(data);
        use.gradients += bytesOf(grad) + bytesOf(microGrad);
        for (const slot of layout.slots) {
          use[kindOf(slot.name)] += valuesByteLength(slot.codec, slotLength(slot, parameter));
        }
      }
    }
    return use;
  }

  /** As `Optimizer.stats`. */
  async stats(): Promise<StepStats> {
    const { control, settings } = this.run;
    const { lastLr: lr, applied: step } = this.log;
    const { lossScale } = settings.gradients;
    const { strays } = this.mapping;
    const counts = { overflows: this.#overflows, strayRows: strays };
    const kept = Object.entries(counts).filter(
      (entry): entry is [string, ByteRange] => entry[1] !== undefined,
    );
    const ranges = [...kept.map(([, range]) => [range]), ...(control ? [[headRange(control)]] : [])];
    const bytes = await this.reader.read(ranges, 'stats');
    const counted = Object.fromEntries(kept.map(([key], k) => [key, new Uint32Array(bytes[k]!)[0]!]));
    if (!control) return { step, skipped: 0, gradNorm: NaN, clipFactor: 1, lossScale, lr, ...counted };
    const head = parseHead(bytes.at(-1)!);
    const { skipped, gradNorm, clipFactor } = head;
    return { step: head.step, skipped, gradNorm, clipFactor, lossScale: head.lossScale, lr, ...counted };
  }

  /** As `Optimizer.readParam`. */
  async param(tensor: RunTensor): Promise<Floats> {
    const { name, data, elementCount } = tensor.parameter;
    const what = `parameter ${quote(name)}`;
    if (data.some(({ rows }) => rows))
      return f32.decode(await readApart(this.run, this.reader, tensor, what), elementCount);
    return this.#floats(rangesOf(data), data[0]!.codec ?? f32, elementCount, what);
  }

  /** As `Optimizer.readState`. */
  async state(tensor: RunTensor, slot: string): Promise<Floats> {
    const { name } = tensor.parameter;
    if (slot === 'step') return Float32Array.of((await this.#counts([tensor]))[0]!);
    const found = findSlot(tensor.part.layout, slot);
    const valueCount = slotLength(found, tensor.parameter);
    const ranges = tensor.part.stateRanges(slot, tensor.index);
    return this.#floats(ranges, found.codec, valueCount, `${slot} of parameter ${quote(name)}`);
  }

  /** As `Optimizer.stateDict`. */
  async stateDict(): Promise<StateDict> {
    const { names, notes, slots, finish } = noteRun(this.run, this.log);
    const bytes = await this.reader.read([...notes, ...slots.map(({ ranges }) => ranges)], 'the state');
    const state: StateDict['state'] = {};
    for (const name of names) define(state, name, {});
    for (const [k, { name, slot, codec, elementCount }] of slots.entries())
      state[name]![slot] = codec.decode(bytes[notes.length + k]!, elementCount);
    return finish(bytes, state);
  }

  /** Where overflows of weights are counted, if all are. */
  get #overflows(): ByteRange | undefined {
    const { parts, resources } = this.run;
    const isCounted = parts.every(
      ({ layout, tensors }) =>
        hasRoomForCount(layout, resources.device.limits) ||
        tensors.every(({ parameter }) => parameter.data[0]!.codec?.overflowsFrom === undefined),
    );
    return isCounted ? resources.overflows.span : undefined;
  }

  async #floats(
    ranges: readonly ByteRange[],
    codec: Codec,
    elementCount: number,
    what: string,
  ): Promise<Floats> {
    const [bytes] = await this.reader.read([ranges], what);
    return codec.decode(bytes!, elementCount);
  }

  /** Steps applied to some tensors. */
  async #counts(tensors: readonly RunTensor[]): Promise<number[]> {
    const { control, rows } = this.run;
    if (!control) return tensors.map(({ row }) => rows.list[row]!.count);
    const ranges = tensors.map(({ index }) => [control.recordSpan(index)]);
    return (await this.reader.read(ranges, 'counts of steps')).map(parseCount);
  }
}
