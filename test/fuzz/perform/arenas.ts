import { Random } from '../../../proof/random.js';
import type { OptimizerErrorCode } from '../../../src/index.js';
import type { Call } from '../case/calls.js';
import { countOf, readPlaces, setPlaces } from '../world/memory.js';
import type { Subject } from '../world/subject.js';
import type { World } from '../world/world.js';

type ArenaCall = Extract<
  Call,
  { readonly kind: 'arenaLoad' | 'arenaRead' | 'arenaReadGrad' | 'arenaInitialize' | 'arenaZeroGrad' }
>;

/** Uses the arena of an optimizer, if it has one, beside it. */
export function performArena(world: World, subject: Subject, call: ArenaCall, what: string): void {
  const { arena } = subject;
  if (!arena) return;
  // Whoever was let go of lies there still; who came back by its name may lie elsewhere.
  const homes = [...subject.homes]
    .map(([{ name }, [home]]) => ({ name, home: home! }))
    .filter(({ home }) => home.data.every(({ buffer }) => buffer.hasPadding));
  const { name, home } = homes[call.tensor % homes.length]!;
  const code: OptimizerErrorCode | undefined = subject.isArenaDestroyed ? 'destroyed' : undefined;
  const expectValue = <T>(promise: Promise<T>, value: T | undefined) => {
    const base = world.expected<T>(code, () => [subject.isArenaDestroyed ? 'destroyed' : undefined]);
    const isKnown = code === undefined && !world.isLost;
    world.verdicts.expect(what, promise, isKnown ? { ...base, value: value as T } : base);
  };
  const random = new Random(call.seed);
  switch (call.kind) {
    case 'arenaRead':
      return expectValue(arena.read(name), readPlaces(home.data));
    case 'arenaReadGrad':
      return expectValue(arena.readGrad(name), readPlaces(home.grad));
    case 'arenaLoad': {
      const isWrong = random.uniform() < 0.1;
      const values = random.weights(countOf(home.data) + (isWrong ? 1 : 0));
      const refusal = code ?? (isWrong ? 'invalid-parameter' : undefined);
      const isMade = world.verdicts.attempt(what, world.expected(refusal), () => arena.load(name, values));
      if (isMade) setPlaces(home.data, values);
      return undefined;
    }
    case 'arenaInitialize': {
      const value = random.integer(2);
      const filled = arena.initialize(name, value === 0 ? 'zeros' : 'ones');
      // It takes effect at the call.
      if (!code && !world.isLost) setPlaces(home.data, readPlaces(home.data).fill(value));
      return expectValue(filled, undefined);
    }
    default: {
      const isMade = world.verdicts.attempt(what, world.expected(code), () => arena.zeroGrad());
      if (!isMade) return undefined;
      for (const each of homes) setPlaces(each.home.grad, readPlaces(each.home.grad).fill(0));
      return undefined;
    }
  }
}
