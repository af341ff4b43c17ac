import { quote } from '../../errors.js';
import { define } from '../../given.js';
import { f32 } from '../../codecs/f32.js';
import type { ByteRange, Reader } from '../../gpu/readback.js';
import { ELEMENT_BYTE_LENGTH, type Piece } from '../../plan/pieces.js';
import { type ControlHead, HEAD_BYTE_LENGTH, parseHead } from '../../stages/control/head.js';
import { parseCount } from '../../stages/control/step-records.js';
import type { RunTensor } from '../run/group-part.js';
import type { Run } from '../run/run.js';
import { readApart } from './packing.js';
import { type SavedControl, type StateDict, describeCounts, describeGroup } from '../saved/state-dict.js';
import type { StepStats } from '../stats.js';
import type { Mapping } from './mapping.js';
import { findSlot } from './state-input.js';
import type { StepLog } from '../run/step-log.js';

type Floats = Float32Array<ArrayBuffer>;

/** The bytes of a tensor's weights or gradients. */
export function rangesOf(pieces: readonly Piece<GPUBuffer>[]): ByteRange[] {
  return pieces.map(({ buffer, byteOffset, elementCount }) => ({
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

  /** As `Optimizer.stateByteLength`. */
  get stateByteLength(): number {
    const { parts } = this.run;
    return parts.reduce((sum, { layout, tensors }) => {
      const elementCount = tensors.reduce((count, { parameter }) => count + parameter.elementCount, 0);
      const { elementSlots, tensorSlots } = layout;
      const ofElements = elementSlots.length * f32.byteLength(elementCount);
      return sum + ofElements + tensorSlots.length * f32.byteLength(tensors.length);
    }, 0);
  }

  /** As `Optimizer.stats`. */
  async stats(): Promise<StepStats> {
    const { control, settings } = this.run;
    const { lastLr: lr, applied: step } = this.log;
    const { lossScale } = settings.gradients;
    const { strays } = this.mapping;
    const ranges = [...(control ? [[this.#headRange()]] : []), ...(strays ? [[strays]] : [])];
    const bytes = await this.reader.read(ranges, 'stats');
    const counted = strays && { strayRows: new Uint32Array(bytes.at(-1)!)[0]! };
    if (!control) return { step, skipped: 0, gradNorm: NaN, clipFactor: 1, lossScale, lr, ...counted };
    const head = parseHead(bytes[0]!);
    const { skipped, gradNorm, clipFactor } = head;
    return { step: head.step, skipped, gradNorm, clipFactor, lossScale: head.lossScale, lr, ...counted };
  }

  /** As `Optimizer.readParam`. */
  async param(tensor: RunTensor): Promise<Floats> {
    const { name, data } = tensor.parameter;
    const what = `parameter ${quote(name)}`;
    if (data.some(({ rows }) => rows))
      return f32.decode(await readApart(this.run, this.reader, tensor, what));
    return this.#floats(rangesOf(data), what);
  }

  /** As `Optimizer.readState`. */
  async state(tensor: RunTensor, slot: string): Promise<Floats> {
    const { name } = tensor.parameter;
    if (slot === 'step') return Float32Array.of((await this.#counts([tensor]))[0]!);
    findSlot(tensor.part.layout, slot);
    const ranges = tensor.part.stateRanges(slot, tensor.index);
    return this.#floats(ranges, `${slot} of parameter ${quote(name)}`);
  }

  /** As `Optimizer.stateDict`. */
  async stateDict(): Promise<StateDict> {
    const { control, rows } = this.run;
    // Of this moment: groups may join, and parameters leave, while the copies are awaited.
    const parts = [...this.run.parts];
    const members = parts.map((part) => part.tensors);
    const rule = parts[0]!.group.rule.name;
    const described = parts.map(({ group }) => describeGroup(group));
    const tensors = members.flat();
    const hostCounts = tensors.map(({ row }) => rows.list[row]!.count);
    const { applied } = this.log;
    // Slot by slot: what lies together is copied as one.
    const slots = parts.flatMap((part) =>
      part.layout.slots.flatMap(({ name }) => part.tensors.map((tensor) => ({ tensor, slot: name }))),
    );
    const wanted = slots.map(({ tensor, slot }) => tensor.part.stateRanges(slot, tensor.index));
    const counts = control ? tensors.map(({ index }) => [control.recordSpan(index)]) : [];
    const head = control ? [[this.#headRange()]] : [];
    const bytes = await this.reader.read([...head, ...counts, ...wanted], 'the state');
    const known = control ? parseHead(bytes[0]!) : undefined;
    const countOf = (k: number): number => (control ? parseCount(bytes[1 + k]!) : hostCounts[k]!);
    const counted = tensors.map((_, k) => countOf(k));
    // What was written by hand may be more than the GPU has applied of the steps that the host made.
    const step = counted.reduce((most, count) => Math.max(most, count), known?.step ?? applied);
    const state: StateDict['state'] = {};
    for (const { parameter } of tensors) define(state, parameter.name, {});
    slots.forEach(({ tensor, slot }, k) => {
      state[tensor.parameter.name]![slot] = f32.decode(bytes[head.length + counts.length + k]!);
    });
    let first = 0;
    const groups = members.map(({ length }, g) => {
      const own = counted.slice(first, (first += length));
      return { ...described[g]!, ...describeCounts(step, own) } as StateDict['groups'][number];
    });
    return { rule, step, groups, state, ...(known && { control: savedControl(known) }) };
  }

  async #floats(ranges: readonly ByteRange[], what: string): Promise<Floats> {
    const [bytes] = await this.reader.read([ranges], what);
    return f32.decode(bytes!);
  }

  /** Steps applied to some tensors. */
  async #counts(tensors: readonly RunTensor[]): Promise<number[]> {
    const { control, rows } = this.run;
    if (!control) return tensors.map(({ row }) => rows.list[row]!.count);
    const ranges = tensors.map(({ index }) => [control.recordSpan(index)]);
    return (await this.reader.read(ranges, 'counts of steps')).map(parseCount);
  }

  #headRange(): ByteRange {
    return { buffer: this.run.control!.headBuffer, byteOffset: 0, byteLength: HEAD_BYTE_LENGTH };
  }
}

function savedControl({ skipped, consecutiveSkips, growthTracker, lossScale }: ControlHead): SavedControl {
  return { skipped, consecutiveSkips, growthTracker, lossScale };
}
