import { Random } from '../../../proof/random.js';
import type { RowMapping } from '../../../src/engine/input/map-input.js';
import type { Call } from '../case/calls.js';
import { atLength, makeHomes, rangesOf, sparseGradOf, writeGradients, writeWords } from '../world/homes.js';
import { bindingOf, countOf } from '../world/memory.js';
import { homesFor } from './rebind.js';
import type { Subject } from '../world/subject.js';
import type { Home, TensorTwin } from '../model/twin-tensor.js';
import type { World } from '../world/world.js';

const FRESH = 0xffff_ffff;
/** So many rows more than there are at most. */
const MOST_GROWTH = 12;

/** A tensor's next home, and whether it was told of it. */
interface Move {
  readonly tensor: TensorTwin;
  readonly home: Home;
  readonly movesData: boolean;
  readonly movesGrad: boolean;
  readonly movesMask: boolean;
}

/** Moves rows of some tensors by one map. */
export function performMap(
  world: World,
  subject: Subject,
  { which, seed }: Extract<Call, { kind: 'mapRows' }>,
  what: string,
): void {
  const random = new Random(seed);
  const chance = (share: number) => random.uniform() < share;
  const all = subject.twin.tensors.filter(({ plan }) => plan.rows);
  if (all.length === 0) return;
  const first = all[which % all.length]!;
  const isMixed = chance(0.03);
  const tensors = all.filter(
    (tensor, k) =>
      tensor === first || (((which >> (k % 8)) & 1) === 1 && (isMixed || tensor.rowCount === first.rowCount)),
  );
  const rowsBefore = first.rowCount;
  const rowCount = drawRowCount(random, tensors);
  const isOnGpu = chance(0.35);
  const from = drawMap(random, rowsBefore, rowCount, isOnGpu);
  const moves = tensors.map((tensor) => drawMove(world, subject, random, tensor, rowCount));
  if (chance(0.15)) changePlaces(moves);
  const isWrong =
    tensors.some((tensor) => tensor.isMatrix || tensor.rowCount !== rowsBefore) ||
    moves.some((move) => !fits(move, rowCount));
  const expected = world.expected<undefined>(
    subject.trainingRefusal ?? (isWrong ? 'invalid-parameter' : undefined),
    () => [subject.refusal],
  );
  const mapping = describeMapping(world, random, from, rowCount, moves, isOnGpu);
  const mapped = subject.optimizer!.mapRows(
    tensors.map(({ name }) => name),
    mapping,
  );
  world.verdicts.expect(
    what,
    mapped.then(() => undefined),
    expected,
  );
  if (expected.isRefused || world.isLost) return;
  // It takes effect at the call.
  if (isOnGpu) {
    const strays = from.filter((row) => row >= rowsBefore && row !== FRESH).length;
    subject.twin.strayRows = (subject.twin.strayRows ?? 0) + strays;
  }
  // All at once: some may come to lie where others lay.
  const apply = moves.map(({ tensor, home }) => tensor.map(from, home));
  for (const put of apply) put();
  for (const { tensor, home } of moves) subject.homes.get(tensor)!.push(home);
  world.noteReshape(subject);
}

function drawRowCount(random: Random, tensors: readonly TensorTwin[]): number {
  const { rowCount: before, home, plan } = tensors[0]!;
  const u = random.uniform();
  const room = Math.floor(countOf(home.room.data) / plan.rows!.length);
  if (u < 0.3) return before + random.integer(Math.max(room - before, 0) + 1);
  if (u < 0.55) return before;
  return u < 0.75 ? 1 + random.integer(before) : before + 1 + random.integer(MOST_GROWTH);
}

function drawMap(
  random: Random,
  rowsBefore: number,
  rowCount: number,
  isOnGpu: boolean,
): Uint32Array<ArrayBuffer> {
  const stray = () => rowsBefore + random.integer(3);
  const fresh = () => (isOnGpu && random.uniform() < 0.3 ? stray() : FRESH);
  const u = random.uniform();
  const identity = (k: number) => (k < rowsBefore ? k : fresh());
  if (u < 0.35) return Uint32Array.from({ length: rowCount }, (_, k) => identity(k));
  if (u < 0.6) {
    // What stays keeps its order, as behind a pruning; then copies of some.
    const kept = Array.from({ length: rowsBefore }, (_, k) => k).filter(() => random.uniform() < 0.7);
    return Uint32Array.from(
      { length: rowCount },
      (_, k) => kept[k] ?? (random.uniform() < 0.5 ? random.integer(rowsBefore) : fresh()),
    );
  }
  return Uint32Array.from({ length: rowCount }, () =>
    random.uniform() < 0.8 ? random.integer(rowsBefore) : fresh(),
  );
}

function drawMove(
  world: World,
  subject: Subject,
  random: Random,
  tensor: TensorTwin,
  rowCount: number,
): Move {
  const { home, plan } = tensor;
  const rows = plan.rows!;
  const length = rowCount * rows.length;
  const lacksRoom = (places: Home['data']) => countOf(places) < length;
  // Mostly, who has no room is given some.
  const gives = (places: Home['data']) => random.uniform() < (lacksRoom(places) ? 0.9 : 0.25);
  const movesData = gives(home.room.data);
  const movesGrad = home.sparse ? random.uniform() < 0.2 : gives(home.room.grad);
  const lacksMask = home.mask !== undefined && home.mask.length < rowCount;
  const wantsMask = random.uniform() < (lacksMask ? 0.9 : 0.25);
  const { cut: _, ...whole } = plan;
  const spare = random.uniform() < 0.5 ? random.integer(6) : 0;
  const known = homesFor(subject, tensor).filter(
    ({ room }) => !lacksRoom(room.data) && !lacksRoom(room.grad),
  );
  const other =
    known.length > 0 && !home.sparse && random.uniform() < 0.2
      ? random.pick(known)
      : makeHomes([{ ...whole, length, rows: { ...rows, spare } }], world.memory, random)[0]!;
  writeGradients(
    [atLength(other.room, Math.min(length, countOf(other.room.data)), other)],
    world.memory,
    random,
    {
      hasExactNorms: subject.plan.hasExactNorms,
      poison: undefined,
    },
  );
  const room = {
    data: movesData ? other.room.data : home.room.data,
    grad: movesGrad ? other.room.grad : home.room.grad,
  };
  const sparse = movesGrad ? other.sparse : home.sparse;
  const mask = wantsMask ? other.mask : home.mask;
  const next = atLength(room, length, {
    ...(mask && { mask }),
    ...(sparse && { sparse }),
    ...(home.micro && { micro: microOf(world, random, home.micro, length) }),
  });
  return { tensor, home: next, movesData, movesGrad, movesMask: mask !== home.mask };
}

/** Where the gradients of micro-batches lie: elsewhere, if there are to be more or fewer. */
function microOf(world: World, random: Random, micro: Home['data'], length: number): Home['data'] {
  if (countOf(micro) === length) return micro;
  const places = world.memory.allocate([{ length, codec: micro[0]?.codec }], random);
  world.memory.write(places, new Float32Array(length));
  return places;
}

/** Lets the first two lie where the other one lay, if rows of both are as long there, and of one dtype. */
function changePlaces(moves: Move[]): void {
  const [a, b] = moves;
  if (!a || !b || a.tensor.plan.rows!.length !== b.tensor.plan.rows!.length) return;
  if (a.home.sparse || b.home.sparse || a.tensor.plan.dtype !== b.tensor.plan.dtype) return;
  const length = countOf(a.home.data);
  const moved = (move: Move, { tensor: other }: Move): Move => ({
    ...move,
    home: atLength({ ...move.home.room, data: other.home.room.data }, length, move.home),
    movesData: true,
  });
  moves.splice(0, 2, moved(a, b), moved(b, a));
}

/** Whether there is room for so many rows. */
function fits({ tensor, home }: Move, rowCount: number): boolean {
  const length = rowCount * tensor.plan.rows!.length;
  const { data, grad } = home.room;
  if (countOf(data) < length || (!home.sparse && countOf(grad) < length)) return false;
  return !home.mask || home.mask.length >= rowCount;
}

function describeMapping(
  world: World,
  random: Random,
  from: Uint32Array<ArrayBuffer>,
  rowCount: number,
  moves: readonly Move[],
  isOnGpu: boolean,
): RowMapping {
  const data = moves
    .filter((move) => move.movesData)
    .map(({ tensor, home }) => [tensor.name, rangesOf(home.room.data)]);
  const grad = moves
    .filter((move) => move.movesGrad)
    .map(({ tensor, home }) => [tensor.name, home.sparse ? sparseGradOf(home) : rangesOf(home.room.grad)]);
  const microGrad = moves
    .filter(({ tensor, home }) => home.micro && home.micro !== tensor.home.micro)
    .map(({ tensor, home }) => [tensor.name, rangesOf(home.micro!)]);
  const rowMask = moves
    .filter((move) => move.movesMask)
    .map(({ tensor, home }) => [tensor.name, bindingOf(home.mask!)]);
  return {
    from: isOnGpu ? place() : from,
    rowCount,
    ...(data.length > 0 && { data: Object.fromEntries(data) as RowMapping['data'] & object }),
    ...(grad.length > 0 && { grad: Object.fromEntries(grad) as RowMapping['grad'] & object }),
    ...(microGrad.length > 0 && {
      microGrad: Object.fromEntries(microGrad) as RowMapping['microGrad'] & object,
    }),
    ...(rowMask.length > 0 && { rowMask: Object.fromEntries(rowMask) as RowMapping['rowMask'] & object }),
  };

  function place() {
    const [entries] = world.memory.allocate([{ length: rowCount + random.integer(3) }], random);
    writeWords(world.memory, entries!, (k) => from[k] ?? 0);
    return bindingOf(entries!);
  }
}
