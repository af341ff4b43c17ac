import { Random } from '../../../proof/random.js';
import type { OptimizerErrorCode } from '../../../src/index.js';
import type { Call } from '../case/calls.js';
import { drawOverrides } from './draw-overrides.js';
import type { Subject } from '../world/subject.js';
import type { TensorTwin } from '../model/twin-tensor.js';
import type { World } from '../world/world.js';

type LifeCall = Extract<
  Call,
  { readonly kind: 'addGroup' | 'freeze' | 'unfreeze' | 'remove' | 'removeGroup' | 'set' }
>;

/** Changes what takes part, and how. */
export function performLife(world: World, subject: Subject, call: LifeCall, what: string): void {
  const { twin, trainingRefusal } = subject;
  const optimizer = subject.optimizer!;
  switch (call.kind) {
    case 'addGroup':
      performAddGroup(world, subject, call, what);
      return;
    case 'freeze':
    case 'unfreeze': {
      const { kind } = call;
      const chosen = chooseTensors(subject, call.which);
      const names = chosen.map(({ name }) => name);
      const make = () => optimizer[kind](names);
      if (!world.verdicts.attempt(what, world.expected(trainingRefusal), make)) return;
      for (const tensor of chosen) tensor.isFrozen = kind === 'freeze';
      return;
    }
    case 'remove': {
      const chosen = chooseTensors(subject, call.which);
      const names = chosen.map(({ name }) => name);
      leave(world, subject, chosen, what, () => optimizer.remove(new Set(names)));
      return;
    }
    case 'removeGroup': {
      const g = call.group % twin.groups.length;
      const group = optimizer.groups[g]!;
      leave(world, subject, twin.groups[g]!.tensors, what, () => optimizer.removeGroup(group));
      return;
    }
    default:
      performSet(world, subject, call, what);
  }
}

/** Of the tensors that there are, those whose bits are set. */
export function chooseTensors({ twin }: Subject, which: number): TensorTwin[] {
  return twin.tensors.filter((_, k) => ((which >> (k % 8)) & 1) === 1);
}

function leave(
  world: World,
  subject: Subject,
  leaving: readonly TensorTwin[],
  what: string,
  call: () => void,
): void {
  if (leaving.length === 0) return;
  const isAll = leaving.length === subject.twin.tensors.length;
  const code = subject.trainingRefusal ?? (isAll ? 'invalid-config' : undefined);
  if (!world.verdicts.attempt(what, world.expected(code), call)) return;
  subject.remove(new Set(leaving));
  world.noteReshape(subject);
}

function performSet(
  world: World,
  subject: Subject,
  { group: index, seed }: Extract<Call, { kind: 'set' }>,
  what: string,
): void {
  const { twin, refusal } = subject;
  const g = index % twin.groups.length;
  const [group, model] = [subject.optimizer!.groups[g]!, twin.groups[g]!];
  const { given, rule } = drawOverrides(new Random(seed), model.rule);
  const code = refusal ?? (rule ? undefined : 'invalid-option');
  if (!world.verdicts.attempt(what, world.expected(code), () => group.set(given()))) return;
  model.rule = rule!;
  world.verdicts.same(`${what}: options`, group.options, twin.optionsOf(model));
}

function performAddGroup(
  world: World,
  subject: Subject,
  { sync, moved: which, hasNew, seed }: Extract<Call, { kind: 'addGroup' }>,
  what: string,
): void {
  const next = subject.nextGroup(new Random(seed), chooseTensors(subject, which), hasNew);
  if (!next) return;
  const { joiner, config } = next;
  const { moved } = joiner;
  const { joining, trainingRefusal, optimizer, evaluations, twin } = subject;
  // Those that eval() met on their way are refused, or not, in one of the turns to come: it is not known whose they are.
  const met = [...joining].filter((each) => evaluations > each.evaluations);
  if (met.some((each) => each.moved.some((tensor) => moved.includes(tensor)))) return;
  const onTheirWay = new Set([...joining].flatMap((each) => each.moved));
  const isTwice = moved.some((tensor) => onTheirWay.has(tensor));
  const isUnfit = next.refusal !== undefined;
  const refusal = trainingRefusal ?? next.refusal ?? (isTwice ? 'invalid-parameter' : undefined);
  if (sync) {
    const isBusy = joining.size > 0;
    const expected = world.expected<never>(refusal, () => (isBusy ? ['invalid-config'] : []));
    if (!isTwice && !isUnfit) joining.add(joiner);
    const isMade = world.verdicts.attempt(what, expected, () => optimizer!.addGroupSync(config));
    if (isMade) world.notice(subject);
    joining.delete(joiner);
    return;
  }
  // One that is refused at once is not on its way.
  if (!isTwice && !isUnfit && trainingRefusal === undefined) joining.add(joiner);
  const added = optimizer!.addGroup(config);
  added.catch(() => joining.delete(joiner));
  // A name is taken while whoever had it is on his way, though he was let go of.
  const awaited = new Set([...onTheirWay].map(({ name }) => name));
  const mayBeTaken = joiner.group.tensors.some(({ name }) => awaited.has(name));
  const others = (): (OptimizerErrorCode | undefined)[] => [
    mayBeTaken ? 'invalid-parameter' : undefined,
    subject.refusal,
    subject.evaluations > evaluations ? 'invalid-config' : undefined,
    moved.every((tensor) => twin.tensors.includes(tensor)) ? undefined : 'invalid-parameter',
  ];
  world.verdicts.expect(
    what,
    added.then(() => undefined),
    world.expected(refusal, others),
  );
}
