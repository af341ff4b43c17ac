import type { StateDict } from '../../src/index.js';
import type { Call } from './calls.js';
import type { Subject } from './subject.js';
import type { World } from './world.js';

type ReadingCall = Extract<
  Call,
  { readonly kind: 'stats' | 'readParam' | 'readState' | 'readStep' | 'readEma' | 'save' }
>;

/** Reads something; what the model has at this moment is what it has to give. */
export function performReading(world: World, subject: Subject, call: ReadingCall, what: string): void {
  const { twin, refusal, trainingRefusal } = subject;
  const optimizer = subject.optimizer!;
  const expect = <T>(promise: Promise<T>, value: T | undefined, code = refusal) =>
    world.expectValue(what, promise, subject, code, value);
  if (call.kind === 'stats') return expect(optimizer.stats(), twin.stats());
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
  const slots = call.kind === 'readEma' ? ['ema'] : twin.slotsOf(tensor);
  const slot = slots[call.slot % Math.max(slots.length, 1)] ?? 'nothing';
  const isKnown = twin.slotsOf(tensor).includes(slot);
  const code = refusal ?? (isKnown ? undefined : 'invalid-parameter');
  const promise = call.kind === 'readEma' ? optimizer.readEma(name) : optimizer.readState(name, slot);
  expect(promise, isKnown ? tensor.slot(slot) : undefined, code);
  return undefined;
}

/** Loads a dict that was saved, of whatever optimizer: that of the shelf, unless another fits better. */
export async function performLoad(
  world: World,
  subject: Subject,
  { shelf, sync }: Extract<Call, { kind: 'load' }>,
  what: string,
): Promise<void> {
  const saved = await Promise.all(
    [...world.shelves].toSorted(([a], [b]) => rank(a) - rank(b)).map(([, s]) => s),
  );
  subject.notice();
  const { twin, optimizer, trainingRefusal } = subject;
  const known = saved.filter((each) => each !== undefined && fits(each, subject)) as StateDict[];
  const dict = structuredClone(known.find((each) => !twin.misfitOf(each)) ?? known[0]);
  if (!dict) return;
  const expected = world.expected<never>(trainingRefusal ?? twin.misfitOf(dict));
  const load = (given: StateDict) => optimizer!.loadStateDictSync(given);
  if (sync) {
    if (!world.verdicts.attempt(what, expected, () => load(structuredClone(dict)))) return;
    twin.load(dict);
    world.noteLoad(subject);
    return;
  }
  // It takes effect at the call.
  const given = structuredClone(dict);
  const loading = optimizer!.loadStateDict(given);
  if (!expected.isRefused && !world.isLost) {
    twin.load(dict);
    world.noteLoad(subject);
  }
  world.verdicts.expect(what, loading, expected);

  function rank(k: number): number {
    return k === shelf ? -1 : k;
  }
}

/** Whether a dict is of the same kind of optimizer, so that the model knows what comes of it. */
function fits(dict: StateDict, { twin }: Subject): boolean {
  const own = twin.stateDict();
  const slots = ({ state }: StateDict) =>
    JSON.stringify(
      Object.entries(state).map(([name, s]) => [
        name,
        Object.entries(s).map(([k, { length }]) => [k, length]),
      ]),
    );
  // With decay or without, kernels are others.
  const decays = ({ groups }: StateDict) =>
    JSON.stringify(groups.map(({ weightDecay }) => weightDecay === 0));
  const isAlike = dict.rule === own.rule && (dict.control === undefined) === (own.control === undefined);
  // Of other groups, it is refused.
  if (dict.groups.length !== own.groups.length) return isAlike;
  return isAlike && slots(dict) === slots(own) && decays(dict) === decays(own);
}
