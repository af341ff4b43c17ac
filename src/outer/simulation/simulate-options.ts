import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../errors.js';
import { copyGiven } from '../../given.js';
import type { Optimizer } from '../../engine/optimizer.js';
import { type OuterOptions, resolveOuterOptions } from '../options.js';

/** A peer of a simulated fleet: weights, data and an optimizer of its own, on the same device as others or on another one. */
export interface SimulatedPeer {
  readonly optimizer: Optimizer;
  /** Trains once: makes gradients and has the optimizer step exactly once. */
  step(): Promise<void> | void;
  /** How good its weights are now. */
  loss?(): Promise<number> | number;
  /** Frees the peer, its optimizer too. Is called however the simulation ends. */
  destroy(): void;
}

/** What {@link simulateFleet} takes. */
export interface FleetSimulationOptions extends Pick<OuterOptions, 'rule' | 'every' | 'compress'> {
  /** Makes a peer, given its number from 0. All peers have the same parameters; they begin with the weights of peer 0. */
  readonly makePeer: (index: number) => Promise<SimulatedPeer> | SimulatedPeer;
  /** How many peers, an integer ≥ 1. */
  readonly peers: number;
  /** How many rounds, an integer ≥ 1. */
  readonly rounds: number;
  /**
   * The share of deltas that do not arrive, from 0 to 1, each drawn by itself. A peer whose delta is lost applies what the others gave, and
   * keeps its progress for the next round. Default 0.
   */
  readonly dropouts?: number;
  /** The share of peers that sleep through a round, from 0 to 1, each drawn by itself: they neither step nor apply, and catch up later. Default 0. */
  readonly absences?: number;
  /** Rounds whose means are kept for peers that have slept; who missed more of them loads a snapshot and keeps its progress. Default 4. */
  readonly keepRounds?: number;
  /** What all draws follow from, an integer ≥ 0. Default 0. */
  readonly seed?: number;
  /** Is told of each round, and waited for. */
  readonly onRound?: (round: SimulatedRound) => Promise<void> | void;
  /** Ends the simulation, which rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A round of a simulation. */
export interface SimulatedRound {
  /** Its number, from 0. */
  readonly round: number;
  /** Of the anchor behind the round, if peers say their losses; where no delta arrived, that of the round before. */
  readonly loss: number | undefined;
  /** Of each peer's own weights, before the exchange; of peers that sleep and of those that do not say it, nothing. */
  readonly peerLosses: readonly (number | undefined)[];
  /** Peers whose deltas are in the mean; none of them: nothing was applied. */
  readonly arrived: readonly number[];
  /** Peers whose deltas were lost. */
  readonly dropped: readonly number[];
  /** Peers that slept. */
  readonly absent: readonly number[];
  /** Peers that caught up before they went on: by how many rounds they were behind, and whether by a snapshot. */
  readonly caughtUp: readonly {
    readonly peer: number;
    readonly rounds: number;
    readonly bySnapshot: boolean;
  }[];
  /** Bytes of all deltas that were sent, those that were lost among them. */
  readonly sentByteLength: number;
}

const CALL = 'simulateFleet()';
const KEYS = [
  'makePeer',
  'peers',
  'rounds',
  'every',
  'rule',
  'compress',
  'dropouts',
  'absences',
  'keepRounds',
  'seed',
  'onRound',
  'signal',
] satisfies (keyof FleetSimulationOptions)[];

type Resolved = {
  readonly [K in Exclude<keyof FleetSimulationOptions, Optional>]-?: NonNullable<FleetSimulationOptions[K]>;
} & Pick<FleetSimulationOptions, Optional>;
type Optional = 'rule' | 'compress' | 'onRound' | 'signal';

/** @throws OptimizerError `invalid-config`. */
export function resolveSimulationOptions(given: unknown): Resolved {
  if (!isRecord(given)) {
    return fail(`the options are ${quote(given)}; give { makePeer, peers, every, rounds }.`);
  }
  const options = copyGiven(given, KEYS);
  rejectUnknownKeys(options, KEYS, CALL, 'invalid-config');
  const { makePeer, peers, rounds, every, rule, compress, dropouts, absences, keepRounds, seed } = options;
  const { onRound, signal } = options;
  if (typeof makePeer !== 'function') {
    fail(`makePeer is ${quote(makePeer)}; give a function that makes a peer, given its number.`);
  }
  checkInteger('peers', peers, 1);
  checkInteger('rounds', rounds, 1);
  // What it says of itself names the option.
  resolveOuterOptions(
    { every, ...(rule !== undefined && { rule }), ...(compress !== undefined && { compress }) },
    CALL,
  );
  checkShare('dropouts', dropouts);
  checkShare('absences', absences);
  if (keepRounds !== undefined) {
    checkInteger('keepRounds', keepRounds, 0);
    if (absences === undefined) {
      fail(
        `keepRounds is ${quote(keepRounds)}, for peers that miss rounds; give absences, too, or leave it out.`,
      );
    }
  }
  if (seed !== undefined) {
    checkInteger('seed', seed, 0);
    if (dropouts === undefined && absences === undefined) {
      fail(`seed is ${quote(seed)}, but nothing is drawn; give dropouts or absences, too, or leave it out.`);
    }
  }
  if (onRound !== undefined && typeof onRound !== 'function') {
    fail(`onRound is ${quote(onRound)}; give a function, or leave it out.`);
  }
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.throwIfAborted !== 'function') {
    fail(`signal is ${quote(signal)}; give the signal of an AbortController, or leave it out.`);
  }
  return {
    ...options,
    dropouts: dropouts ?? 0,
    absences: absences ?? 0,
    keepRounds: keepRounds ?? 4,
    seed: seed ?? 0,
  } as Resolved;
}

/** @throws OptimizerError `invalid-config` for what `makePeer` returned. */
export function checkPeer(given: unknown, index: number): SimulatedPeer {
  const peer = given as Partial<SimulatedPeer> | null | undefined;
  const areFunctions =
    typeof peer?.step === 'function' &&
    typeof peer.destroy === 'function' &&
    (peer.loss === undefined || typeof peer.loss === 'function');
  if (areFunctions) return peer as SimulatedPeer;
  return fail(
    `makePeer(${index}) gave ${quote(given)}; give { optimizer, step(), destroy() }, and loss() if there is one.`,
  );
}

function checkInteger(name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  fail(`${name} is ${quote(value)}; give an integer from ${least}.`);
}

function checkShare(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value >= 0 && value <= 1)) return;
  fail(`${name} is ${quote(value)}; give a share, a number from 0 to 1.`);
}

export function fail(message: string): never {
  throw new OptimizerError('invalid-config', `${CALL}: ${message}`);
}
