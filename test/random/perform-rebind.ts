import { Random } from '../../proof/random.js';
import type { BufferChange } from '../../src/engine/input/rebind-input.js';
import type { Call } from './calls.js';
import { makeHomes, parameterOf, writeGradients } from './homes.js';
import { readPlaces } from './memory.js';
import type { Subject } from './subject.js';
import type { Home, TensorTwin } from './twin-tensor.js';
import type { World } from './world.js';

/** Lets some tensors lie elsewhere: their weights, their gradients, or both; in fresh buffers, or where they once lay. */
export function performRebind(
  world: World,
  subject: Subject,
  { which, back, seed }: Extract<Call, { kind: 'rebind' }>,
  what: string,
): void {
  const random = new Random(seed);
  const chosen = subject.twin.tensors.filter((_, k) => ((which >> (k % 16)) & 1) === 1);
  if (chosen.length === 0) return;
  const isRefused = chosen.some(({ home }) => home.sparse || home.micro);
  const moves = chosen.map((tensor) => [tensor, newHome(tensor)] as const);
  const changes = Object.fromEntries(
    moves.map(([tensor, home]): [string, BufferChange] => {
      const { data, grad } = parameterOf(tensor, home) as Required<BufferChange>;
      const [movesData, movesGrad] = [home.data !== tensor.home.data, home.grad !== tensor.home.grad];
      return [tensor.name, { ...(movesData && { data }), ...(movesGrad && { grad }) }];
    }),
  );
  const refusal = subject.refusal ?? (isRefused ? 'invalid-parameter' : undefined);
  // Places that lie otherwise may need other kernels; then it is refused, and nothing has changed.
  const expected = world.expected<never>(refusal, () => ['invalid-parameter']);
  if (!world.verdicts.attempt(what, expected, () => subject.optimizer!.rebind(changes))) return;
  for (const [tensor, home] of moves) {
    tensor.home = home;
    subject.homes.get(tensor)!.push(home);
  }

  function newHome(tensor: TensorTwin): Home {
    const { home } = tensor;
    const known = subject.homes.get(tensor)!;
    if (back || home.sparse || home.micro) return random.pick(known);
    const like = (places: Home['data']) => places.map((place) => world.memory.allocateLike(place, random));
    const plan = { name: tensor.name, length: readPlaces(home.data).length, hasMicro: false };
    const fresh =
      random.uniform() < 0.8
        ? { data: like(home.data), grad: like(home.grad) }
        : makeHomes([plan], world.memory, random)[0]!;
    writeGradients([fresh], world.memory, random, {
      hasExactNorms: subject.plan.hasExactNorms,
      poison: undefined,
    });
    const u = random.uniform();
    if (u < 0.4) return fresh;
    return u < 0.7 ? { ...home, data: fresh.data } : { ...home, grad: fresh.grad };
  }
}
