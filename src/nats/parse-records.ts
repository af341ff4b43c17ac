import type { KvEntry } from '@nats-io/kv';
import { isRecord, quote } from '../errors.js';
import { fleetError } from '../fleet/fleet-error.js';
import type { PostedDelta, RoundClose, SnapshotFacts } from '../fleet/transport.js';

type Entry = Pick<KvEntry, 'key' | 'json'>;
type Fields = Readonly<Record<string, unknown>>;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const isDelta = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value.peer === 'string' &&
  typeof value.id === 'string' &&
  isCount(value.byteLength);

const isTaken = (value: unknown): boolean =>
  isDelta(value) && typeof (value as Fields)['checksum'] === 'string';

const isRefused = (value: unknown): boolean =>
  isRecord(value) && typeof value.peer === 'string' && typeof value.reason === 'string';

const isClose = (value: unknown): boolean =>
  isRecord(value) &&
  isCount(value.round) &&
  typeof value.closedBy === 'string' &&
  Array.isArray(value.taken) &&
  value.taken.every(isTaken) &&
  Array.isArray(value.refused) &&
  value.refused.every(isRefused);

const isLast = (value: unknown): boolean =>
  isRecord(value) && isCount(value.round) && typeof value.checksum === 'string';

const isSnapshot = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value.id === 'string' &&
  [value.round, value.keepFrom, value.byteLength].every(isCount) &&
  isRecord(value.settings) &&
  typeof value.settings.normFactor === 'number' &&
  isRecord(value.taken) &&
  Object.values(value.taken).every(isLast);

/** @throws OptimizerError `fleet` for what no peer writes. */
export const deltaIn = (entry: Entry): PostedDelta => parse(entry, isDelta) as PostedDelta;

/** @throws OptimizerError `fleet` for what no peer writes. */
export const closeIn = (entry: Entry): RoundClose => parse(entry, isClose) as RoundClose;

/** @throws OptimizerError `fleet` for what no peer writes. */
export const snapshotIn = (entry: Entry): SnapshotFacts => parse(entry, isSnapshot) as SnapshotFacts;

function parse(entry: Entry, isSound: (value: unknown) => boolean): unknown {
  let value: unknown;
  try {
    value = entry.json();
  } catch (cause) {
    throw fleetError(`key ${quote(entry.key)} of the run holds no JSON; remove it (nats kv del).`, cause);
  }
  if (isSound(value)) return value;
  throw fleetError(
    `key ${quote(entry.key)} of the run holds ${quote(value)}, which no peer writes; remove it (nats kv del).`,
  );
}
