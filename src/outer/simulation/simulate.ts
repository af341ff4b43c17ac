import { philox } from '../../codecs/philox.js';
import { quote } from '../../errors.js';
import { averageDeltas } from '../deltas/average-deltas.js';
import { OuterOptimizer } from '../outer-optimizer.js';
import {
  type FleetSimulationOptions,
  type SimulatedPeer,
  type SimulatedRound,
  checkPeer,
  fail,
  resolveSimulationOptions,
} from './simulate-options.js';

/** What a simulation came to. */
export interface FleetSimulation {
  readonly rounds: readonly SimulatedRound[];
  /** Of the weights that all began with. */
  readonly firstLoss: number | undefined;
  /** Of the anchor in the end. */
  readonly loss: number | undefined;
  /** Elements of the parameters of one peer. */
  readonly elementCount: number;
  /** Bytes that a peer sent per step that it made, on average. */
  readonly bytesPerStep: number;
  /** Bytes that a peer would send per step if all gave each other their gradients, in float32, as data-parallel training does. */
  readonly dataParallelBytesPerStep: number;
}

/**
 * Trains a fleet on one machine, with an {@link OuterOptimizer} per peer and no network: for curves of more peers than there are machines.
 *
 * Peers train one after the other. Deltas are averaged on the CPU by {@link averageDeltas}, as a server does it, and each peer
 * applies the mean: all that is checked of deltas is checked here, too. The same options and the same peers give the same bits.
 *
 * Each peer has its own weights, gradients and inner state, and what an OuterOptimizer keeps: with `nesterov()` 16 bytes per
 * element, 20 with compression, and the packed delta. Kernels are compiled once for all peers on a device.
 *
 * @example
 * const { rounds } = await simulateFleet({ makePeer, peers: 32, every: 50, rounds: 20, compress: 'int8', dropouts: 0.25 });
 * console.table(rounds.map(({ round, loss, arrived }) => ({ round, loss, arrived: arrived.length })));
 *
 * @throws OptimizerError `invalid-config`, and what OuterOptimizer throws: `invalid-delta` if a peer's weights are not finite.
 */
export async function simulateFleet(options: FleetSimulationOptions): Promise<FleetSimulation> {
  const resolved = resolveSimulationOptions(options);
  const fleet = new SimulatedFleet(resolved);
  try {
    await fleet.create();
    return await fleet.train();
  } finally {
    fleet.destroy();
  }
}

/** A peer, and what it has to do with the others. */
interface Member {
  readonly index: number;
  readonly peer: SimulatedPeer;
  readonly outer: OuterOptimizer;
  /** Steps that are in no mean yet. */
  pendingSteps: number;
}

class SimulatedFleet {
  readonly #members: Member[] = [];
  /** Means by the round that they are of; the newest ones only. */
  readonly #means = new Map<number, Uint8Array<ArrayBuffer>>();
  readonly #rounds: SimulatedRound[] = [];
  #steps = 0;
  #loss: number | undefined;

  constructor(private readonly options: ReturnType<typeof resolveSimulationOptions>) {}

  async create(): Promise<void> {
    const { makePeer, peers, signal, every, rule, compress } = this.options;
    let first: Uint8Array<ArrayBuffer> | undefined;
    for (let index = 0; index < peers; index++) {
      signal?.throwIfAborted();
      const peer = checkPeer(await makePeer(index), index);
      let outer: OuterOptimizer | undefined;
      try {
        const twin = this.#members.find((member) => member.peer.optimizer === peer.optimizer);
        if (twin) fail(`makePeer(${index}) gave the optimizer of peer ${twin.index}; make one for each.`);
        const label = `webgpu-optim outer ${index}`;
        outer = await OuterOptimizer.create(peer.optimizer, {
          every,
          label,
          ...(rule && { rule }),
          ...(compress !== undefined && { compress }),
        });
        first ??= await outer.snapshot();
        if (index > 0) await outer.loadSnapshot(first);
        this.#members.push({ index, peer, outer, pendingSteps: 0 });
      } catch (error) {
        outer?.destroy();
        peer.destroy();
        throw error;
      }
    }
  }

  async train(): Promise<FleetSimulation> {
    const { rounds, onRound } = this.options;
    const firstLoss = await lossOf(this.#members[0]!);
    this.#loss = firstLoss;
    for (let round = 0; round < rounds; round++) {
      const report = await this.#round(round);
      this.#rounds.push(report);
      await onRound?.(report);
    }
    const elementCount = this.#members[0]!.outer.anchor.memory().weights / 4;
    const sent = this.#rounds.reduce((sum, { sentByteLength }) => sum + sentByteLength, 0);
    return {
      rounds: this.#rounds,
      firstLoss,
      loss: this.#loss,
      elementCount,
      bytesPerStep: this.#steps === 0 ? 0 : sent / this.#steps,
      dataParallelBytesPerStep: 4 * elementCount,
    };
  }

  destroy(): void {
    for (const { peer, outer } of this.#members) {
      outer.destroy();
      peer.destroy();
    }
  }

  async #round(round: number): Promise<SimulatedRound> {
    const { dropouts, absences } = this.options;
    const draws = this.#members.map(({ index }) => draw(this.options.seed, round, index));
    const isAbsent = ({ index }: Member): boolean => draws[index]!.absence < absences;
    const present = this.#members.filter((member) => !isAbsent(member));
    const caughtUp: SimulatedRound['caughtUp'][number][] = [];
    const peerLosses = this.#members.map((): number | undefined => undefined);
    const deltas: { readonly member: Member; readonly bytes: Uint8Array<ArrayBuffer> }[] = [];
    let sentByteLength = 0;
    for (const member of present) {
      const caught = await this.#catchUp(member);
      if (caught) caughtUp.push({ peer: member.index, ...caught });
      await this.#makeSteps(member);
      peerLosses[member.index] = await lossOf(member);
      const bytes = await member.outer.delta({ samples: member.pendingSteps, peer: `peer ${member.index}` });
      sentByteLength += bytes.byteLength;
      if (draws[member.index]!.dropout >= dropouts) deltas.push({ member, bytes });
    }
    const arrived = deltas.map(({ member }) => member);
    if (arrived.length > 0) {
      const mean = await averageDeltas(deltas.map(({ bytes }) => bytes));
      await this.#apply(mean, present);
      for (const member of arrived) member.pendingSteps = 0;
      // Who keeps no progress has the anchor as its weights.
      this.#loss = await lossOf(arrived[0]!);
    }
    const indices = (members: readonly Member[]): number[] => members.map(({ index }) => index);
    return {
      round,
      loss: this.#loss,
      peerLosses,
      arrived: indices(arrived),
      dropped: indices(present.filter((member) => !arrived.includes(member))),
      absent: indices(this.#members.filter(isAbsent)),
      caughtUp,
      sentByteLength,
    };
  }

  async #makeSteps({ index, peer, outer }: Member): Promise<void> {
    const { every, signal } = this.options;
    const before = outer.stepCount;
    for (let step = 0; step < every; step++) {
      signal?.throwIfAborted();
      await peer.step();
    }
    const made = outer.stepCount - before;
    if (made !== every) {
      fail(
        `${every} calls of step() of peer ${index} made ${made} steps of its optimizer; each call makes one.`,
      );
    }
    this.#members[index]!.pendingSteps += every;
    this.#steps += every;
  }

  async #apply(mean: Uint8Array<ArrayBuffer>, members: readonly Member[]): Promise<void> {
    const { round } = members[0]!.outer;
    for (const { outer } of members) await outer.apply(mean);
    this.#means.set(round, mean);
    this.#means.delete(round - this.options.keepRounds);
  }

  /** Brings a peer that slept to where the others are. */
  async #catchUp({ outer }: Member): Promise<{ rounds: number; bySnapshot: boolean } | undefined> {
    const newest = this.#members.reduce((best, other) =>
      other.outer.round > best.outer.round ? other : best,
    );
    const rounds = newest.outer.round - outer.round;
    if (rounds === 0) return undefined;
    const bySnapshot = !this.#means.has(outer.round);
    if (bySnapshot) {
      // A delta of the round that it is in came to nothing: all were lost.
      const options = { keepProgress: true, isDeltaTaken: false };
      await outer.loadSnapshot(await newest.outer.snapshot(), options);
    } else {
      while (outer.round < newest.outer.round) await outer.apply(this.#means.get(outer.round)!);
    }
    return { rounds, bySnapshot };
  }
}

async function lossOf({ index, peer }: Pick<Member, 'index' | 'peer'>): Promise<number | undefined> {
  const loss: unknown = await peer.loss?.();
  if (loss === undefined || typeof loss === 'number') return loss;
  return fail(`loss() of peer ${index} gave ${quote(loss)}; give a number.`);
}

/** What happens to a peer in a round: it follows from these three alone, whatever else is drawn. */
function draw(seed: number, round: number, peer: number): { dropout: number; absence: number } {
  const [dropout, absence] = philox([round, peer, 0, 0], [seed >>> 0, Math.floor(seed / 2 ** 32)]);
  return { dropout: dropout / 2 ** 32, absence: absence / 2 ** 32 };
}
