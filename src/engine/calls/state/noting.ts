import type { Codec } from '../../../codecs/codec.js';
import type { ByteRange } from '../../../gpu/copies/byte-range.js';
import { type LayoutSlot, isElementwise, slotLength } from '../../../kernel/rule-layout.js';
import type { Control } from '../../../stages/control/control.js';
import { type ControlHead, HEAD_BYTE_LENGTH, parseHead } from '../../../stages/control/head.js';
import { parseCount } from '../../../stages/control/step-records.js';
import type { RunTensor } from '../../run/group-part.js';
import type { Run } from '../../run/run.js';
import type { StepLog } from '../../run/step-log.js';
import { type SavedControl, type StateDict, describeCounts, describeGroup } from '../../saved/state-dict.js';

/** A slot of a parameter, and where it lies. */
export interface NotedSlot {
  /** The parameter's. */
  readonly name: string;
  readonly slot: string;
  /** Its sizes: those of the parameter, or none for a single number. */
  readonly shape: readonly number[];
  readonly elementCount: number;
  readonly codec: Codec;
  readonly ranges: readonly ByteRange[];
}

/** A run at one moment: what the host knows, and where the rest lies; later calls change none of it. */
export interface NotedRun {
  /** Of all parameters. */
  readonly names: readonly string[];
  /** What is to be read for {@link finish} besides the state. */
  readonly notes: readonly (readonly ByteRange[])[];
  /** Slot by slot: what lies together is copied as one. */
  readonly slots: readonly NotedSlot[];
  /** The state dict, from the bytes of the notes, which come first. */
  readonly finish: <S>(bytes: readonly ArrayBuffer[], state: S) => Omit<StateDict, 'state'> & { state: S };
}

/** The bytes of what the control stage keeps. */
export const headRange = ({ headBuffer }: Control): ByteRange => ({
  buffer: headBuffer,
  byteOffset: 0,
  byteLength: HEAD_BYTE_LENGTH,
});

/** Notes a run as it is now: groups may join, and parameters leave, while its bytes are awaited. */
export function noteRun({ control, rows, parts, settings }: Run, { applied }: StepLog): NotedRun {
  const members = parts.map((part) => part.tensors);
  const rule = settings.rule.name;
  const described = parts.map(({ group }) => describeGroup(group));
  const tensors = members.flat();
  const hostCounts = tensors.map(({ row }) => rows.list[row]!.count);
  const slots = parts.flatMap((part) =>
    part.layout.slots.flatMap((slot) =>
      part.tensors.map((tensor) => ({
        name: tensor.parameter.name,
        slot: slot.name,
        shape: shapeOfSlot(slot, tensor.parameter),
        elementCount: slotLength(slot, tensor.parameter),
        codec: slot.codec,
        ranges: part.stateRanges(slot.name, tensor.index),
      })),
    ),
  );
  const counts = control ? tensors.map(({ index }) => [control.recordSpan(index)]) : [];
  return {
    names: tensors.map(({ parameter }) => parameter.name),
    notes: [...(control ? [[headRange(control)]] : []), ...counts],
    slots,
    finish: (bytes, state) => {
      const known = control ? parseHead(bytes[0]!) : undefined;
      const counted = tensors.map((_, k) => (control ? parseCount(bytes[1 + k]!) : hostCounts[k]!));
      // What was written by hand may be more than the GPU has applied of the steps that the host made.
      const step = counted.reduce((most, count) => Math.max(most, count), known?.step ?? applied);
      let first = 0;
      const groups = members.map(({ length }, g) => {
        const own = counted.slice(first, (first += length));
        return { ...described[g]!, ...describeCounts(step, own) } as StateDict['groups'][number];
      });
      return { rule, step, groups, state, ...(known && { control: savedControl(known) }) };
    },
  };
}

function savedControl({ skipped, consecutiveSkips, growthTracker, lossScale }: ControlHead): SavedControl {
  return { skipped, consecutiveSkips, growthTracker, lossScale };
}

function shapeOfSlot(slot: LayoutSlot, parameter: RunTensor['parameter']): number[] {
  if (isElementwise(slot)) return shapeOf(parameter);
  return slot.perTensor ? [] : [slotLength(slot, parameter)];
}

/** A parameter's sizes: of rows and of their elements, if it has rows. */
export function shapeOf({ elementCount, rowLength }: RunTensor['parameter']): number[] {
  return rowLength === undefined ? [elementCount] : [elementCount / rowLength, rowLength];
}
