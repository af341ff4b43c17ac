import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { copyGiven } from '../given.js';
import { resolveOuterOptions } from './options.js';
import type { FleetSimulationOptions, SimulatedPeer } from './simulate.js';

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
