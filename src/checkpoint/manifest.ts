import type { Codec } from '../codecs/codec.js';
import { codecOfName } from '../codecs/state-dtype.js';
import { OptimizerError, isRecord, quote } from '../errors.js';
import { define } from '../given.js';
import type { StateDict } from '../engine/saved/state-dict.js';

/** The metadata's entry that a checkpoint is resumed by. */
export const MANIFEST = 'webgpu-optim';
/** The tensor that has the checksum; of the smallest elements and the last name, it is the last of the file. */
export const CHECKSUM = '~sha256';
/** What this version writes. */
const FORMAT = 1;

/** Name of the tensor of a parameter's slot, or of its weights. */
export const nameOfTensor = (param: string, slot?: string): string =>
  slot === undefined ? `param.${param}` : `state.${param}.${slot}`;

/**
 * How the elements of a tensor of a checkpoint lie in it; none of a dtype that it has none of, or of a format that is not known.
 *
 * @param formats of its manifest.
 */
export function codecOfTensor(
  { name, dtype }: { readonly name: string; readonly dtype: string },
  formats: Manifest['formats'],
): Codec | undefined {
  const format = dtype === 'U8' ? formats[name.slice(name.lastIndexOf('.') + 1)] : dtype.toLowerCase();
  const codec = format === undefined ? undefined : codecOfName(format);
  return codec?.dtype === dtype ? codec : undefined;
}

/** What a checkpoint has beside tensors. */
export interface Manifest {
  readonly dict: Omit<StateDict, 'state'>;
  /** Names of parameters that rest. */
  readonly frozen: readonly string[];
  /** Per slot whose tensors are bytes (`U8`), the name of the codec that says what these mean. */
  readonly formats: Readonly<Record<string, string>>;
  /** Per tensor of bytes, how many elements it has: blocks of them are whole. */
  readonly lengths: Readonly<Record<string, number>>;
}

/** @throws OptimizerError `invalid-checkpoint`. */
export function refuse(message: string, cause?: unknown): never {
  throw new OptimizerError('invalid-checkpoint', `loadCheckpoint(): ${message}`, { cause });
}

/**
 * The metadata: all that resuming takes as one text, and besides, for others, each scalar by its name as
 * `torch.distributed.checkpoint` flattens the state of an optimizer: `param_groups.<param>.<option>`, `state.<param>.step`.
 */
export function writeMetadata({
  dict,
  frozen,
  formats = {},
  lengths = {},
}: Omit<Manifest, 'formats' | 'lengths'> & Partial<Manifest>): Record<string, string> {
  const metadata: Record<string, string> = {};
  const known = Object.keys(formats).length > 0 ? { formats, lengths } : {};
  define(metadata, MANIFEST, JSON.stringify({ format: FORMAT, ...dict, frozen, ...known }, asPlain));
  for (const { params, joinedAt = 0, steps, schedule: _, schedules: __, ...options } of dict.groups) {
    for (const [k, name] of params.entries()) {
      define(metadata, `state.${name}.step`, String(steps?.[k] ?? dict.step - joinedAt));
      for (const [option, value] of Object.entries(options)) {
        define(metadata, `param_groups.${name}.${option}`, JSON.stringify(value, asPlain));
      }
    }
  }
  return metadata;
}

/** @throws OptimizerError `invalid-checkpoint` unless this is what {@link writeMetadata} gave. */
export function readManifest(metadata: Readonly<Record<string, string>>): Manifest {
  const text = metadata[MANIFEST];
  if (text === undefined) {
    refuse(`the file has no metadata ${quote(MANIFEST)}; give one that saveCheckpoint() wrote.`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, fromPlain);
  } catch (cause) {
    refuse(`the metadata ${quote(MANIFEST)} is no JSON; give a file that saveCheckpoint() wrote.`, cause);
  }
  if (!isRecord(parsed))
    refuse(`the metadata ${quote(MANIFEST)} is ${quote(parsed)}; it should be an object.`);
  const { format, frozen, formats = {}, lengths = {}, ...dict } = parsed as Record<string, unknown>;
  if (format !== FORMAT) {
    refuse(
      `the file is of format ${quote(format)}, but this version reads format ${FORMAT}; use the version that wrote it.`,
    );
  }
  if (!Array.isArray(frozen) || !frozen.every((name) => typeof name === 'string')) {
    refuse(`frozen is ${quote(frozen)}; it should be a list of names.`);
  }
  if (!isRecord(formats) || !Object.values(formats).every((name) => typeof name === 'string')) {
    refuse(`formats is ${quote(formats)}; it should have a name per slot.`);
  }
  if (!isRecord(lengths) || !Object.values(lengths).every((length) => Number.isSafeInteger(length))) {
    refuse(`lengths is ${quote(lengths)}; it should have a number of elements per tensor of bytes.`);
  }
  return {
    dict: dict as Omit<StateDict, 'state'>,
    frozen,
    formats: formats as Manifest['formats'],
    lengths: lengths as Manifest['lengths'],
  };
}

/** Numbers that JSON has no text for. */
const OTHER_NUMBERS = new Map(
  [Infinity, -Infinity, NaN, -0].map((value) => [Object.is(value, -0) ? '-0' : String(value), value]),
);

function asPlain(_: string, value: unknown): unknown {
  if (typeof value !== 'number') return value;
  const text = Object.is(value, -0) ? '-0' : String(value);
  return OTHER_NUMBERS.has(text) ? { number: text } : value;
}

function fromPlain(_: string, value: unknown): unknown {
  if (!isRecord(value) || Object.keys(value).length !== 1) return value;
  return OTHER_NUMBERS.get((value as { number?: string }).number ?? '') ?? value;
}
