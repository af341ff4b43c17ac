import { Random } from '../../../proof/random.js';
import type { BufferChange } from '../../../src/engine/input/rebind-input.js';
import type { Call } from '../case/calls.js';
import { atLength, makeHomes, rangesOf, writeGradients } from '../world/homes.js';
import { countOf } from '../world/memory.js';
import type { TensorPlan } from '../case/plans.js';
import type { Subject } from '../world/subject.js';
import type { Home, TensorTwin } from '../model/twin-tensor.js';
import type { World } from '../world/world.js';

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
      const [data, grad] = [rangesOf(home.room.data), rangesOf(home.room.grad)];
      const movesData = home.room.data !== tensor.home.room.data;
      const movesGrad = home.room.grad !== tensor.home.room.grad;
      return [tensor.name, { ...(movesData && { data }), ...(movesGrad && { grad }) }];
    }),
  );
  const isGone =
    subject.isArenaDestroyed &&
    moves.some(([, home]) => [...home.data, ...home.grad].some(({ buffer }) => buffer.hasPadding));
  const refusal = subject.refusal ?? (isRefused ? 'invalid-parameter' : isGone ? 'destroyed' : undefined);
  // Places that lie otherwise may need other kernels; then it is refused, and nothing has changed.
  const expected = world.expected<never>(refusal, () => ['invalid-parameter']);
  if (!world.verdicts.attempt(what, expected, () => subject.optimizer!.rebind(changes))) return;
  for (const [tensor, home] of moves) {
    tensor.home = home;
    subject.homes.get(tensor)!.push(home);
  }

  function newHome(tensor: TensorTwin): Home {
    const { home, plan } = tensor;
    const known = homesFor(subject, tensor);
    if (back || home.sparse || home.micro) return random.pick(known);
    const like = (places: Home['data']) => places.map((place) => world.memory.allocateLike(place, random));
    const fresh =
      random.uniform() < 0.8
        ? atLength({ data: like(home.room.data), grad: like(home.room.grad) }, tensor.length, home)
        : elsewhere(plan, tensor);
    writeGradients([fresh], world.memory, random, {
      hasExactNorms: subject.plan.hasExactNorms,
      poison: undefined,
    });
    const u = random.uniform();
    if (u < 0.4) return fresh;
    const { data, grad } = home.room;
    const room = u < 0.7 ? { grad, data: fresh.room.data } : { data, grad: fresh.room.grad };
    return atLength(room, tensor.length, home);
  }

  function elsewhere(plan: TensorPlan, { length, hasLength, home }: TensorTwin): Home {
    const { cut: _, ...whole } = plan;
    const rows = plan.rows && { ...plan.rows, spare: hasLength ? random.integer(3) : 0 };
    const [made] = makeHomes([{ ...whole, length, ...(rows && { rows }) }], world.memory, random);
    return { ...made!, ...(home.mask && { mask: home.mask }) };
  }
}

/** Where a tensor lay at any time, if there is room for it as it is now. */
export function homesFor(subject: Subject, tensor: TensorTwin): Home[] {
  const { length, hasLength, home } = tensor;
  return subject.homes
    .get(tensor)!
    .filter(({ room }) => room === home.room || subject.isFree(room, tensor))
    .filter(({ room }) =>
      [room.data, ...(home.sparse ? [] : [room.grad])].every((places) =>
        hasLength ? countOf(places) >= length : countOf(places) === length,
      ),
    )
    .map(({ room, sparse }) => atLength(room, length, { ...home, ...(sparse && { sparse }) }));
}
