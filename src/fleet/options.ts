import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { copyGiven } from '../given.js';
import { checkName } from './names.js';
import { checkNormFactor } from './screen.js';
import type { FleetEvent } from './events.js';

/** How a peer takes part in a fleet. */
export interface FleetOptions {
  /** This peer's name, which no other living member has: 1 to 64 of A–Z, a–z, 0–9, _ and -. */
  readonly peer: string;
  /** Seconds that a round is kept open for members who are late, from when this peer has put its delta. */
  readonly deadlineSeconds: number;
  /** Deltas that a round needs; 1 unless said. */
  readonly minPeers?: number | undefined;
  /** Rounds before the newest snapshot whose deltas are kept, for peers that missed some; 4 unless said. */
  readonly keepRounds?: number | undefined;
  /** Rounds between snapshots, for peers that come late or missed too many; 8 unless said. */
  readonly snapshotEvery?: number | undefined;
  /** How many times the median of the others' norms a delta's norm may be; the same for all peers, 10 unless said. */
  readonly normFactor?: number | undefined;
  /** Whether steps that were made before joining are kept, and go into the first delta. Unless said, weights become the fleet's anchor. */
  readonly keepProgress?: boolean | undefined;
  /** Is told what happens beside the reports of `sync()`. */
  readonly onEvent?: ((event: FleetEvent) => void) | undefined;
  /** Leaves the fleet, as `leave()` does; what is pending rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The options as they are used. */
export type CheckedFleetOptions = {
  readonly [K in Exclude<keyof FleetOptions, 'onEvent' | 'signal'>]-?: Exclude<FleetOptions[K], undefined>;
} & { readonly [K in 'onEvent' | 'signal']: FleetOptions[K] };

const KNOWN = [
  'peer',
  'deadlineSeconds',
  'minPeers',
  'keepRounds',
  'snapshotEvery',
  'normFactor',
  'keepProgress',
  'onEvent',
  'signal',
] as const;

/** Timers count milliseconds in 31 bits. */
const LONGEST_SECONDS = 7 * 24 * 3600;

/** @throws OptimizerError `invalid-option` for what is unknown, of the wrong type or out of range. */
export function checkFleetOptions(given: unknown): CheckedFleetOptions {
  if (!isRecord(given)) refuse('joinFleet’s options', given, 'an object, { peer, deadlineSeconds }');
  rejectUnknownKeys(given, KNOWN, 'joinFleet', 'invalid-option');
  const options = copyGiven(given, KNOWN) as Partial<Record<(typeof KNOWN)[number], unknown>>;
  const { peer, deadlineSeconds, normFactor = 10, keepProgress = false, onEvent, signal } = options;
  checkName(peer, 'peer');
  checkSeconds(deadlineSeconds, 'deadlineSeconds');
  checkNormFactor(normFactor);
  if (typeof keepProgress !== 'boolean') refuse('keepProgress', keepProgress, 'true or false');
  if (onEvent !== undefined && typeof onEvent !== 'function') refuse('onEvent', onEvent, 'a function');
  if (signal !== undefined && !isSignal(signal)) refuse('signal', signal, 'the signal of an AbortController');
  return {
    peer,
    deadlineSeconds,
    minPeers: countOf(options.minPeers ?? 1, 'minPeers', 1),
    keepRounds: countOf(options.keepRounds ?? 4, 'keepRounds', 0),
    snapshotEvery: countOf(options.snapshotEvery ?? 8, 'snapshotEvery', 1),
    normFactor: normFactor as number,
    keepProgress,
    onEvent: onEvent as ((event: FleetEvent) => void) | undefined,
    signal,
  };
}

/** @throws OptimizerError `invalid-option` unless it is a time that a timer can keep. */
export function checkSeconds(value: unknown, name: string): asserts value is number {
  if (typeof value === 'number' && value > 0 && value <= LONGEST_SECONDS) return;
  refuse(name, value, `a number of seconds above 0, up to ${LONGEST_SECONDS}`);
}

function countOf(value: unknown, name: string, least: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
  return refuse(name, value, `an integer from ${least} on`);
}

function isSignal(value: unknown): value is AbortSignal {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AbortSignal).addEventListener === 'function'
  );
}

function refuse(name: string, value: unknown, wanted: string): never {
  throw new OptimizerError('invalid-option', `${name} is ${quote(value)}; give ${wanted}.`);
}
