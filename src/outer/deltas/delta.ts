import { joinPieces, readVerified, writeVerified } from '../../checkpoint/verify.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import { define } from '../../given.js';
import { type SafetensorsFile, readSafetensors } from '../../safetensors/read.js';
import type { SafetensorsTensor } from '../../safetensors/tensor.js';
import {
  type Compress,
  type DeltaFormat,
  byteLengthOf,
  complaintAbout,
  decodeValues,
  resolveCompress,
  tensorOf,
} from './compress.js';

/** The metadata's entry that says what a delta is. */
const ENTRY = 'webgpu-optim-delta';
/** What this version writes and reads. */
const VERSION = 1;

/** What a delta says of itself. */
export interface DeltaHeader {
  /** The round that it is for, from 0: how many were applied before. */
  readonly round: number;
  /** What it counts for in a mean: samples that it was trained on, > 0. */
  readonly samples: number;
  /** Who gave it, if that was said. */
  readonly peer?: string;
  readonly compress: Compress;
  /** Names of the parameters, and of how many elements each is. */
  readonly lengths: Readonly<Record<string, number>>;
  /** Of a mean: the checksums of the deltas that it is of, and names of the peers that gave them. */
  readonly contributors?: readonly { readonly checksum: string; readonly peer?: string }[];
}

/** A delta that was read and found whole. */
export interface Delta extends DeltaHeader {
  readonly format: DeltaFormat;
  /** Its checksum, 64 hexadecimal digits: no two deltas have the same. */
  readonly checksum: string;
  readonly byteLength: number;
  /** Bytes of each parameter's values. */
  readonly values: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** Bytes of a delta: a file of safetensors with a checksum, as a checkpoint has one. */
export async function writeDelta(
  header: DeltaHeader,
  format: DeltaFormat,
  values: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly checksum: string }> {
  const metadata: Record<string, string> = {};
  define(metadata, ENTRY, JSON.stringify({ version: VERSION, ...header }));
  const tensors = Object.entries(header.lengths).map(([name, elementCount]) => ({
    name: `delta.${name}`,
    ...tensorOf(format, elementCount),
    bytes: values.get(name)!,
  }));
  return writeVerified(tensors, metadata);
}

/** A delta of zeros, by nobody: the same bytes wherever it is made. */
export async function zeroDelta(
  round: number,
  lengths: DeltaHeader['lengths'],
): Promise<Uint8Array<ArrayBuffer>> {
  const format = resolveCompress('none', 'zeroDelta()');
  const values = new Map(
    Object.entries(lengths).map(([name, count]) => [name, new Uint8Array(byteLengthOf(format, count))]),
  );
  return (await writeDelta({ round, samples: 1, compress: 'none', lengths }, format, values)).bytes;
}

/**
 * Reads a delta and holds it against its checksum.
 *
 * @param call the call, for errors.
 * @param which one it is of several, for errors.
 * @throws OptimizerError `invalid-delta`.
 */
export async function readDelta(given: unknown, call: string, which = 'the delta'): Promise<Delta> {
  const refuse = (message: string, cause?: unknown): never => refuseDelta(call, `${which} ${message}`, cause);
  if (!(given instanceof Uint8Array)) {
    return refuse(`is ${quote(given)}; give the Uint8Array that delta() returned.`);
  }
  let file: SafetensorsFile;
  try {
    file = await readSafetensors(given as Uint8Array<ArrayBuffer>);
  } catch (cause) {
    return refuse(`is no file, or is cut: ${(cause as Error).message}`, cause);
  }
  const header = readHeader(file.metadata, refuse);
  const format = resolveCompress(header.compress, `${call}: ${which}: compress`, 'invalid-delta');
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  const take = async (
    tensor: SafetensorsTensor,
    pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  ): Promise<void> => {
    const name = tensor.name.replace(/^delta\./, '');
    const elementCount = Object.hasOwn(header.lengths, name) ? header.lengths[name]! : undefined;
    if (elementCount === undefined || tensor.byteLength !== byteLengthOf(format, elementCount)) {
      refuse(
        `has a tensor ${quote(tensor.name)} of ${tensor.byteLength} bytes, which its header does not say; get it anew.`,
      );
    }
    values.set(name, await joinPieces(pieces, tensor.byteLength));
  };
  const checksum = await readVerified(file, take, (message) => refuse(`${message}; get it anew.`));
  for (const [name, elementCount] of Object.entries(header.lengths)) {
    const bytes = values.get(name);
    if (!bytes) return refuse(`has no tensor ${quote(`delta.${name}`)}, which its header says; get it anew.`);
    const complaint = complaintAbout(format, bytes, elementCount);
    if (complaint) refuse(`cannot be used: ${quote(name)}: ${complaint}.`);
  }
  return { ...header, format, checksum, byteLength: given.byteLength, values };
}

/** @throws OptimizerError `invalid-delta`. */
export function refuseDelta(call: string, message: string, cause?: unknown): never {
  throw new OptimizerError('invalid-delta', `${call}: ${message}`, { cause });
}

function readHeader(
  metadata: Readonly<Record<string, string>>,
  refuse: (message: string, cause?: unknown) => never,
): DeltaHeader {
  const text = metadata[ENTRY];
  if (text === undefined) return refuse(`has no metadata ${quote(ENTRY)}; give what delta() returned.`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    return refuse(`has metadata ${quote(ENTRY)} that is no JSON; give what delta() returned.`, cause);
  }
  if (!isRecord(parsed)) return refuse(`has ${quote(parsed)} as its header; give what delta() returned.`);
  const { version, round, samples, peer, compress, lengths, contributors } = parsed as Record<
    string,
    unknown
  >;
  if (version !== VERSION) {
    refuse(
      `is of version ${quote(version)}, but this library reads version ${VERSION}; use one version everywhere.`,
    );
  }
  if (!Number.isSafeInteger(round) || (round as number) < 0) {
    refuse(`is of round ${quote(round)}; rounds are integers from 0.`);
  }
  if (!isSampleCount(samples)) refuse(`counts for ${quote(samples)} samples; give a finite number > 0.`);
  if (peer !== undefined && typeof peer !== 'string')
    refuse(`is of peer ${quote(peer)}; peers have texts as names.`);
  if (
    !isRecord(lengths) ||
    !Object.values(lengths).every((n) => Number.isSafeInteger(n) && (n as number) >= 0)
  ) {
    refuse(`has lengths ${quote(lengths)}; there should be a number of elements per parameter.`);
  }
  if (contributors !== undefined && !(Array.isArray(contributors) && contributors.every(isContributor))) {
    refuse(`has contributors ${quote(contributors)}; there should be a list with a checksum each.`);
  }
  return {
    round,
    samples,
    compress,
    lengths,
    ...(peer !== undefined && { peer }),
    ...(contributors !== undefined && { contributors }),
  } as DeltaHeader;
}

const isContributor = (entry: unknown): boolean =>
  isRecord(entry) && typeof (entry as { checksum?: unknown }).checksum === 'string';

export const isSampleCount = (samples: unknown): samples is number =>
  typeof samples === 'number' && samples > 0 && Number.isFinite(samples);

/** Those whose progress deltas hold. */
export const contributorsOf = (deltas: readonly Delta[]): NonNullable<Delta['contributors']> =>
  deltas.flatMap(
    ({ contributors, checksum, peer }) => contributors ?? [{ checksum, ...(peer !== undefined && { peer }) }],
  );

/** What is said of a delta: its header, and how large it is. */
export interface DeltaSummary extends DeltaHeader {
  /** Its checksum, 64 hexadecimal digits: no two deltas have the same. */
  readonly checksum: string;
  readonly contributors: readonly { readonly checksum: string; readonly peer?: string }[];
  readonly byteLength: number;
  /** Elements of all parameters. */
  readonly elementCount: number;
  /** The Euclidean norm of all its values; NaN if any of them is not finite. */
  readonly norm: number;
}

/**
 * What a delta says of itself, and its norm, computed from its values on the CPU, without a GPU: to look at deltas of others before they are
 * applied.
 *
 * @param delta what `delta()` or {@link averageDeltas} gave.
 * @throws OptimizerError `invalid-delta` for what is none, is cut or changed.
 */
export async function inspectDelta(delta: Uint8Array): Promise<DeltaSummary> {
  const { format, values, ...header } = await readDelta(delta, 'inspectDelta()');
  let largest = 0;
  let sum = 0;
  let elementCount = 0;
  let isFinite = true;
  for (const [name, bytes] of values) {
    const numbers = decodeValues(format, bytes, header.lengths[name]!);
    elementCount += numbers.length;
    for (const number of numbers) {
      largest = Math.max(largest, Math.abs(number));
      sum += number * number;
    }
    isFinite &&= Number.isFinite(sum) && Number.isFinite(largest);
  }
  const own = { checksum: header.checksum, ...(header.peer !== undefined && { peer: header.peer }) };
  return { contributors: [own], ...header, elementCount, norm: isFinite ? Math.sqrt(sum) : NaN };
}
