import { Random } from '../../../proof/random.js';
import { MASTER_SLOTS } from '../../../src/codecs/masters.js';
import type { OptimizerErrorCode, ResetOptions } from '../../../src/index.js';
import type { Call } from '../case/calls.js';
import type { Subject } from '../world/subject.js';
import type { TensorTwin } from '../model/twin-tensor.js';
import type { World } from '../world/world.js';

type EditCall = Extract<Call, { readonly kind: 'writeState' | 'resetState' | 'copyState' }>;

const MOST_STEPS = 30;

/** Writes, resets or copies state. */
export function performEdit(world: World, subject: Subject, call: EditCall, what: string): void {
  const random = new Random(call.seed);
  if (call.kind === 'writeState') write(world, subject, random, what);
  else if (call.kind === 'resetState') reset(world, subject, random, what);
  else copy(world, subject, random, what);
}

function write(world: World, subject: Subject, random: Random, what: string): void {
  const { twin, trainingRefusal } = subject;
  const optimizer = subject.optimizer!;
  const tensor = random.pick(twin.tensors);
  const slot = random.pick(['step', ...tensor.slots]);
  if (slot === 'step') {
    const count = random.integer(MOST_STEPS);
    const make = () => optimizer.writeState(tensor.name, 'step', [count]);
    if (!world.verdicts.attempt(`${what} step ${count}`, world.expected(trainingRefusal), make)) return;
    twin.setCount(tensor, count);
    world.noteLoad(subject);
    return;
  }
  const held = tensor.state.state[slot]!;
  const values = Float32Array.from(held, () =>
    slot === 'correction' ? random.integer(255) - 127 : 0.01 + random.uniform(),
  );
  const isWrong = random.uniform() < 0.05;
  const given = isWrong ? [...values, 1] : values;
  const code = trainingRefusal ?? (isWrong ? 'invalid-parameter' : undefined);
  const make = () => optimizer.writeState(tensor.name, slot, given);
  if (world.verdicts.attempt(`${what} ${slot}`, world.expected(code), make)) tensor.writeSlot(slot, values);
}

function reset(world: World, subject: Subject, random: Random, what: string): void {
  const { twin, trainingRefusal } = subject;
  const chance = (share: number) => random.uniform() < share;
  const named = chance(0.7) ? twin.tensors.filter(() => chance(0.5)) : undefined;
  const tensors = named ?? twin.tensors;
  const known = [...new Set(['step', ...tensors.flatMap((tensor) => tensor.slots)])];
  const slots = chance(0.5) ? known.filter(() => chance(0.5)) : undefined;
  const rows = chance(0.3)
    ? Array.from({ length: 1 + random.integer(4) }, () => random.integer(6))
    : undefined;
  const options: ResetOptions = {
    ...(named && { names: named.map(({ name }) => name) }),
    ...(slots && { slots }),
    ...(rows && { rows }),
  };
  const code = trainingRefusal ?? refusalOf(tensors, slots, rows);
  const said = `${what} ${JSON.stringify(options)}`;
  if (!world.verdicts.attempt(said, world.expected(code), () => subject.optimizer!.resetState(options)))
    return;
  const hasCount = slots?.includes('step') ?? !rows;
  for (const tensor of tensors) {
    for (const slot of slots ?? tensor.slots) {
      if (slot !== 'step' && !(rows && tensor.isWhole(slot))) tensor.resetSlot(slot, rows, hasCount);
    }
    if (hasCount) tensor.setCount(0);
  }
  if (hasCount) world.noteLoad(subject);
}

function refusalOf(
  tensors: readonly TensorTwin[],
  slots: readonly string[] | undefined,
  rows: readonly number[] | undefined,
): OptimizerErrorCode | undefined {
  if (!rows) return undefined;
  if (slots?.some((slot) => slot === 'step' || tensors.some((tensor) => tensor.isWhole(slot))))
    return 'invalid-config';
  const fits = tensors.every((tensor) => tensor.plan.rows && rows.every((row) => row < tensor.rowCount));
  return fits ? undefined : 'invalid-parameter';
}

function copy(world: World, subject: Subject, random: Random, what: string): void {
  const { twin, trainingRefusal } = subject;
  const from = random.pick(twin.tensors);
  const alike = twin.tensors.filter((tensor) => tensor !== from && tensor.length === from.length);
  const to = alike.length > 0 && random.uniform() < 0.9 ? random.pick(alike) : random.pick(twin.tensors);
  const lengthsOf = ({ slots, state }: TensorTwin) => slots.map((slot) => [slot, state.state[slot]!.length]);
  const isWrong = from === to || from.length !== to.length || lengthsOf(from).join() !== lengthsOf(to).join();
  const code = trainingRefusal ?? (isWrong ? 'invalid-parameter' : undefined);
  const make = () => subject.optimizer!.copyState(from.name, to.name);
  if (!world.verdicts.attempt(`${what} ${from.name} to ${to.name}`, world.expected(code), make)) return;
  for (const [slot, values] of Object.entries(from.state.state)) {
    // Weights stay.
    if (!MASTER_SLOTS.includes(slot)) to.state.state[slot]!.set(values);
  }
  to.hostCount = from.hostCount;
  to.state.stepCount = from.state.stepCount;
  world.noteLoad(subject);
}
