import type { LoadedNames, StateDict } from '../../../src/index.js';
import type { Call } from '../case/calls.js';
import { matchDict } from '../model/match-dict.js';
import { normsOf, stateByteLengthOf } from '../model/measure-twin.js';
import type { Subject } from '../world/subject.js';
import type { World } from '../world/world.js';

type ReadingCall = Extract<
  Call,
  { readonly kind: 'stats' | 'norms' | 'facts' | 'readParam' | 'readState' | 'readStep' | 'readEma' | 'save' }
>;

/** Reads something; what the model has at this moment is what it has to give. */
export function performReading(world: World, subject: Subject, call: ReadingCall, what: string): void {
  const { twin, refusal, trainingRefusal } = subject;
  const optimizer = subject.optimizer!;
  const expect = <T>(promise: Promise<T>, value: T | undefined, code = refusal) =>
    world.expectValue(what, promise, subject, code, value);
  if (call.kind === 'stats') {
    // Overflows are the matter of test/gpu/overflows.
    const stats = optimizer.stats().then((told) => {
      const { overflows: _, ...rest } = told;
      return rest;
    });
    return expect(stats, twin.stats());
  }
  if (call.kind === 'norms') return expect(optimizer.norms(), normsOf(twin));
  if (call.kind === 'facts') return compareFacts(world, subject, what);
  if (call.kind === 'save') {
    const saved = optimizer.stateDict();
    world.shelves.set(
      call.shelf,
      saved.catch(() => undefined),
    );
    return expect(saved, trainingRefusal ? undefined : twin.stateDict(), trainingRefusal);
  }
  const { tensors } = twin;
  const tensor = tensors[call.tensor % tensors.length]!;
  const { name } = tensor;
  if (call.kind === 'readParam') return expect(optimizer.readParam(name), tensor.weights);
  if (call.kind === 'readStep') {
    return expect(optimizer.readState(name, 'step'), Float32Array.of(twin.countOf(tensor)));
  }
  const slots = call.kind === 'readEma' ? ['ema'] : tensor.slots;
  const slot = slots[call.slot % Math.max(slots.length, 1)] ?? 'nothing';
  const isKnown = tensor.slots.includes(slot);
  const code = refusal ?? (isKnown ? undefined : 'invalid-parameter');
  const promise = call.kind === 'readEma' ? optimizer.readEma(name) : optimizer.readState(name, slot);
  expect(promise, isKnown ? tensor.slot(slot) : undefined, code);
  return undefined;
}

/** Holds what needs no waiting against the model. */
function compareFacts(world: World, { twin, optimizer, refusal }: Subject, what: string): void {
  const { rule, lr, gradScale, groups, stateByteLength } = optimizer!;
  // Without its device, it is for the device to say when that is known.
  if (world.isLost) return;
  world.verdicts.same(`${what}: bytes`, stateByteLength, twin.isDestroyed ? 0 : stateByteLengthOf(twin));
  if (refusal) return;
  const told = {
    rule,
    lr,
    gradScale,
    groups: groups.map(({ params, options }) => ({ params, options })),
  };
  const want = {
    rule: twin.rule.name,
    lr: twin.inForce(twin.groups[0]!).lr,
    gradScale: twin.gradScale,
    groups: twin.groups.map((group) => ({
      params: group.tensors.map(({ name }) => name),
      options: twin.optionsOf(group),
    })),
  };
  world.verdicts.same(what, told, want);
}

/** Loads a dict that was saved, of whatever optimizer: that of the shelf, unless another fits better. */
export async function performLoad(
  world: World,
  subject: Subject,
  { shelf, sync, strict }: Extract<Call, { kind: 'load' }>,
  what: string,
): Promise<void> {
  const saved = await Promise.all(
    [...world.shelves].toSorted(([a], [b]) => rank(a) - rank(b)).map(([, s]) => s),
  );
  world.notice(subject);
  const { twin, optimizer, trainingRefusal } = subject;
  const known = saved.filter((each) => each !== undefined && isAlike(each, subject)) as StateDict[];
  const match = (each: StateDict) => matchDict(each, twin.groups, strict);
  const dict = structuredClone(known.find((each) => match(each)) ?? known[0]);
  if (!dict) return;
  const matched = match(dict);
  const expected = world.expected<LoadedNames>(
    trainingRefusal ?? (matched ? undefined : 'invalid-state-dict'),
    () => [subject.refusal],
  );
  const options = strict ? undefined : { strict };
  const given = structuredClone(dict);
  const note = () => {
    twin.load(dict, matched!.groups);
    world.noteLoad(subject);
  };
  if (sync) {
    let names: LoadedNames | undefined;
    const load = () => (names = optimizer!.loadStateDictSync(given, options));
    if (!world.verdicts.attempt(what, { ...expected, isRefused: expected.isRefused ?? false }, load)) return;
    note();
    world.verdicts.same(what, names, matched!.names);
    return;
  }
  // It takes effect at the call.
  const loading = optimizer!.loadStateDict(given, options);
  const isMade = expected.isRefused !== true && !world.isLost;
  if (isMade) note();
  world.verdicts.expect(what, loading, isMade ? { ...expected, value: matched!.names } : expected);

  function rank(k: number): number {
    return k === shelf ? -1 : k;
  }
}

/** Whether a dict is of the same kind of optimizer, so that the model knows what comes of it. */
function isAlike({ rule, control }: StateDict, { twin }: Subject): boolean {
  return rule === twin.rule.name && (control === undefined) === !twin.countsOnGpu;
}
