import { blockOf } from '../../../codecs/codec.js';
import { OptimizerError, quote } from '../../../errors.js';
import { encodeCopies } from '../../../gpu/copies/copy-ranges.js';
import { type LayoutSlot, slotLength } from '../../../kernel/rule-layout.js';
import { fillRanges } from '../../../gpu/copies/fill-ranges.js';
import { type NewCount, setCounts } from '../../run/counts.js';
import type { Rule } from '../../../rules/rule.js';
import type { GroupPart, RunTensor } from '../../run/group-part.js';
import type { Run } from '../../run/run.js';
import type { Session } from '../../session.js';
import { type Seed, encodeSeeds } from './seeding.js';
import { encodeStateMove } from '../../../stages/rows/map-state.js';
import { FRESH_ROW, uploadedMapper } from '../../../stages/rows/map-rows.js';
import {
  type ElementRange,
  type TensorReset,
  checkSlotValues,
  checkStepValue,
  findSlot,
  resolveReset,
} from './state-input.js';

/** Writes, resets and copies state between steps. All is done in the order of the calls, and nothing is waited for. */
export class Editing {
  constructor(
    private readonly session: Session,
    private readonly run: Run,
  ) {}

  /** As `Optimizer.writeState`. */
  write(name: string, slot: string, values: unknown): void {
    const tensor = this.#find(name, 'writeState()');
    if (slot === 'step') {
      const count = checkStepValue(values, name);
      const ruleOf = this.#rulesInForce([tensor], 'writeState()');
      this.#raiseStep(count);
      this.#setCounts(new Map([[tensor, count]]), ruleOf);
      return;
    }
    const { part, parameter, index } = tensor;
    const found = findSlot(part.layout, slot);
    const floats = checkSlotValues(values, slotLength(found, parameter), name, found);
    part.writeState(this.session.device, slot, index, floats);
  }

  /** As `Optimizer.resetState`. */
  reset(options: unknown): void {
    this.session.guard.checkTraining('resetState()');
    const { tensors, hasCount } = resolveReset(options, this.session.names);
    if (hasCount) {
      const all = tensors.map(({ tensor }) => tensor);
      const ruleOf = this.#rulesInForce(all, 'resetState()');
      this.#setCounts(new Map(all.map((tensor) => [tensor, 0])), ruleOf);
    }
    const seeds: Seed[] = [];
    const frees: (() => void)[] = [];
    this.#submit('resetState()', (encoder) => {
      for (const { tensor, slots, ranges } of tensors) {
        for (const slot of slots) {
          // An average that goes on in the midst of a run has no first step to begin at.
          if (!hasCount && isAverage(tensor, slot)) seeds.push({ tensor, slot: slot.name, ranges });
          else frees.push(this.#encodeReset(encoder, { tensor, ranges }, slot));
        }
      }
      frees.push(encodeSeeds(this.run, encoder, seeds));
      return () => {
        for (const free of frees) free();
      };
    });
  }

  /** As `Optimizer.copyState`. */
  copy(from: string, to: string): void {
    const [source, target] = [this.#find(from, 'copyState()'), this.#find(to, 'copyState()')];
    rejectUnlike(source, target);
    const { control, resources } = this.run;
    const { slots, masters } = source.part.layout;
    const copies = slots
      // Weights stay.
      .filter(({ name }) => name !== masters?.slot)
      .map(({ name }) => ({
        from: source.part.stateRanges(name, source.index),
        to: target.part.stateRanges(name, target.index),
      }));
    if (control) {
      copies.push({ from: [control.recordSpan(source.index)], to: [control.recordSpan(target.index)] });
    }
    this.#submit('copyState()', (encoder) =>
      encodeCopies(resources.device, encoder, copies, resources.label),
    );
    this.#setCounts(new Map([[target, source]]), this.#rulesInForce([], 'copyState()'));
  }

  /** Encodes that a slot is as it was at first. @returns what frees what that takes. */
  #encodeReset(
    encoder: GPUCommandEncoder,
    { tensor, ranges }: Omit<TensorReset, 'slots'>,
    { name, initial, codec }: LayoutSlot,
  ): () => void {
    const { part, index, parameter } = tensor;
    const { device, config } = this.session;
    const all = part.stateRanges(name, index);
    if (ranges && codec.blockLength > 1) {
      // Rows may share words with others, which stay.
      const rowLength = parameter.rowLength!;
      const mapper = uploadedMapper(
        device,
        rowsWithout(ranges, parameter),
        rowLength,
        `${config.label} resetState()`,
      );
      const move = { codec, rowLength, source: all, target: all, fresh: initial };
      encodeStateMove(encoder, mapper, this.run.resources, move);
      return () => mapper.destroy();
    }
    const some = ranges?.flatMap(({ first, elementCount }) =>
      part.slabs.ranges(name, index, first, elementCount),
    );
    fillRanges(device, encoder, some ?? all, blockOf(codec, initial));
    return () => undefined;
  }

  #find(name: string, call: string): RunTensor {
    this.session.guard.checkTraining(call);
    return this.session.names.find(name, call);
  }

  /** Before anything changes: a schedule may return nonsense. */
  #rulesInForce(tensors: readonly RunTensor[], call: string): (part: GroupPart) => Rule {
    const rules = this.session.guard.whileAsking(
      call,
      () => new Map(tensors.map(({ part }) => [part, part.group.inForce().rule])),
    );
    return (part) => rules.get(part)!;
  }

  #setCounts(counts: ReadonlyMap<RunTensor, NewCount>, ruleOf: (part: GroupPart) => Rule): void {
    if (setCounts(this.run, counts, ruleOf)) this.run.renew();
  }

  /** No parameter has made more steps than the optimizer. */
  #raiseStep(count: number): void {
    const { log } = this.session;
    // The GPU has applied no more than the host counts, so that there, too, the count is more.
    if (count > log.applied) this.run.control?.setStep(count);
    log.advanceTo(count);
  }

  /** @param encode returns what frees what it made, once all is submitted. */
  #submit(call: string, encode: (encoder: GPUCommandEncoder) => () => void): void {
    const { device, config, watch } = this.session;
    watch(() => {
      const encoder = device.createCommandEncoder({ label: `${config.label} ${call}` });
      const free = encode(encoder);
      device.queue.submit([encoder.finish()]);
      free();
    });
  }
}

/** A map by which all rows stay but for some, which are fresh ones. */
function rowsWithout(
  ranges: readonly ElementRange[],
  { elementCount, rowLength }: RunTensor['parameter'],
): Uint32Array<ArrayBuffer> {
  const map = Uint32Array.from({ length: elementCount / rowLength! }, (_, row) => row);
  for (const { first, elementCount: count } of ranges) {
    map.fill(FRESH_ROW, first / rowLength!, (first + count) / rowLength!);
  }
  return map;
}

const isAverage = ({ part }: RunTensor, { name }: LayoutSlot): boolean =>
  part.layout.averages.some(({ declaration }) => declaration.slot === name);

/** @throws OptimizerError `invalid-parameter` unless one's state is of the other's form. */
function rejectUnlike(source: RunTensor, target: RunTensor): void {
  const [from, to] = [source.parameter, target.parameter];
  const what = `copyState(): parameters ${quote(from.name)} and ${quote(to.name)}`;
  if (source === target) fail(`${what} are one; name another to copy to.`);
  if (from.elementCount !== to.elementCount) {
    fail(`${what} have ${from.elementCount} and ${to.elementCount} elements; name two of the same size.`);
  }
  const [held, wanted] = [source, target].map(({ part }) => part.layout.slots.map(({ name }) => name));
  if (held!.join() !== wanted!.join()) {
    fail(
      `${what} are of groups with state ${quote(held)} and ${quote(wanted)}; name two with the same slots.`,
    );
  }
  const other = source.part.layout.slots.find((slot) => slotLength(slot, from) !== slotLength(slot, to));
  if (other) {
    fail(
      `${what} have shapes ${quote(from.shape)} and ${quote(to.shape)}, and ${other.name} is of rows or columns; name two of the same shape.`,
    );
  }
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
