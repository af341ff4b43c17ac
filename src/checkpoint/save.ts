import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { valuesByteLength } from '../codecs/codec.js';
import { copyGiven } from '../given.js';
import { insidesOf } from '../engine/insides.js';
import type { Insides } from '../engine/session.js';
import { type Snapshot, takeSnapshot } from '../engine/calls/state/snapshot.js';
import type { Optimizer } from '../engine/optimizer.js';
import { READ_REMEDIES, refusalError } from '../gpu/refusal.js';
import { readPieces } from '../gpu/copies/staging-ring.js';
import { compareTensors } from '../safetensors/layout.js';
import type { SafetensorsSink } from '../safetensors/sink.js';
import { writeSafetensors } from '../safetensors/write.js';
import { ByteFeed } from './byte-feed.js';
import { Checksum } from './checksum.js';
import { type FileSink, copyName, openFile } from './files.js';
import { CHECKSUM, nameOfTensor, writeMetadata } from './manifest.js';
import type { Rule } from '../rules/rule.js';

/** Where a checkpoint is written to: see {@link FileSink} and {@link SafetensorsSink}. */
export type CheckpointSink = SafetensorsSink | FileSink;

/** What `saveCheckpoint` is told beside the sink. */
export interface SaveOptions {
  /** Whether the weights are saved, too. Default true. */
  params?: boolean;
  /**
   * Ends the work: the call rejects with the signal's reason, and the sink is as it was. Of a file, what is being written at that moment is
   * waited for; once all is written, the signal comes too late.
   */
  signal?: AbortSignal;
  /**
   * Told as the bytes of tensors are written, of all that there are.
   *
   * @param writtenByteLength how many are.
   * @param byteLength how many will be.
   */
  onProgress?: (writtenByteLength: number, byteLength: number) => void;
}

/** What became of a save. */
export interface SavedCheckpoint {
  /** Bytes of tensors. */
  readonly byteLength: number;
  /**
   * Whether the state was copied on the GPU at the call, so that training could go on. If there was no memory for that, it is the
   * state of the moment when that was known, and calls that change the run were refused until the end.
   */
  readonly isCopied: boolean;
}

const KEYS = ['params', 'signal', 'onProgress'] satisfies (keyof SaveOptions)[];

/**
 * Saves a training run as it is at the call: state, averages, counts, options, and the weights, in one safetensors file that
 * {@link loadCheckpoint} resumes exactly, and that other programs can read: tensors `state.<param>.<slot>` and `param.<name>`, of F32, F16 or
 * BF16, or U8 for state of `stateDtype` 'int8' and 'int4', and scalars in the metadata by the names of `torch.distributed.checkpoint`. Its last tensor, `~sha256`, is a checksum of all of it.
 *
 * The state is copied on the GPU first, and training may go on at once; then it goes to the sink in pieces: besides the copy, which is freed
 * piece by piece, it takes 32 MiB of memory at most, however large the state is. See {@link SavedCheckpoint} for what happens without
 * memory for the copy. Steps that are encoded and not submitted at the call are not in it.
 *
 * @param optimizer not between `eval()` and `train()`.
 * @param sink a WritableStream, a FileSystemFileHandle, a FileSystemSyncAccessHandle or an open file of Node, which the caller closes, or
 *   `{ path }` or `{ directory, name }`, which are written under another name and renamed when all is there.
 * @returns once all is written.
 * @throws OptimizerError `invalid-config` for bad options and after `eval()`; `invalid-parameter` for weights in buffers without COPY_SRC;
 *   `device-lost`; what the sink rejects with. What is in the place of the file is as it was then, if the sink can do that.
 * @example
 * await saveCheckpoint(optimizer, { directory: await navigator.storage.getDirectory(), name: 'run.safetensors' });
 */
export async function saveCheckpoint<R extends Rule>(
  optimizer: Optimizer<R>,
  sink: CheckpointSink,
  options?: SaveOptions,
): Promise<SavedCheckpoint>;
export async function saveCheckpoint<R extends Rule>(
  optimizer: Optimizer<R>,
  sink: 'bytes',
  options?: SaveOptions,
): Promise<SavedCheckpoint & { readonly bytes: Uint8Array<ArrayBuffer> }>;
export async function saveCheckpoint(
  optimizer: unknown,
  sink: CheckpointSink | 'bytes',
  options?: SaveOptions,
): Promise<SavedCheckpoint> {
  const insides = insidesOf(optimizer, 'saveCheckpoint()');
  const { guard } = insides.session;
  guard.checkTraining('saveCheckpoint()');
  const given = checkOptions(options);
  // At the call, whatever is awaited next.
  const snapshot = take(insides, given, true);
  // What the sink and the signal reject with is not the device's.
  return save(insides, snapshot, copyName(sink), given);
}

type CheckedOptions = Required<Pick<SaveOptions, 'params'>> & Pick<SaveOptions, 'signal' | 'onProgress'>;

const take = (insides: Insides, { params }: CheckedOptions, isCopied: boolean): Snapshot =>
  takeSnapshot(insides, nameOfTensor, compareTensors, params, isCopied);

async function save(
  insides: Insides,
  copied: Snapshot,
  sink: CheckpointSink | 'bytes',
  options: CheckedOptions,
): Promise<SavedCheckpoint> {
  let snapshot = copied;
  let release = (): void => undefined;
  try {
    const met = await copied.refusal;
    const isCopied = !met?.isShortage;
    if (!isCopied) {
      copied.destroy();
      const { guard } = insides.session;
      guard.checkTraining('saveCheckpoint()');
      snapshot = take(insides, options, false);
      release = guard.hold('saveCheckpoint()');
    }
    const failed = isCopied ? met : await snapshot.refusal;
    if (failed) throw refusalError(insides.session.device, failed, 'saveCheckpoint()', READ_REMEDIES);
    return { ...(await write(insides, snapshot, sink, options)), isCopied };
  } finally {
    release();
    snapshot.destroy();
  }
}

async function write(
  { session, run }: Insides,
  { dict, frozen, tensors, release }: Snapshot,
  sink: CheckpointSink | 'bytes',
  { signal, onProgress }: CheckedOptions,
): Promise<Omit<SavedCheckpoint, 'isCopied'>> {
  const ofBytes = tensors.filter(({ codec }) => codec.dtype === 'U8');
  const formats = Object.fromEntries(
    ofBytes.map(({ name, codec }) => [name.slice(name.lastIndexOf('.') + 1), codec.name]),
  );
  const lengths = Object.fromEntries(ofBytes.map(({ name, elementCount }) => [name, elementCount]));
  const metadata = writeMetadata({ dict: await dict, frozen, formats, lengths });
  const checksum = new Checksum(metadata);
  const valueBytes = tensors.map(({ codec, elementCount }) => valuesByteLength(codec, elementCount));
  const byteLength = valueBytes.reduce((sum, each) => sum + each, 0);
  let written = 0;
  const note = async function* (pieces: AsyncIterable<Uint8Array<ArrayBuffer>>, byteOffset: number) {
    let read = byteOffset;
    for await (const piece of pieces) {
      yield piece;
      written += piece.byteLength;
      read += piece.byteLength;
      release(read);
      onProgress?.(written, byteLength);
    }
  };
  const ranges = tensors.flatMap((tensor) => tensor.ranges);
  const label = `${run.resources.label} checkpoint`;
  const feed = new ByteFeed(readPieces(session.device, ranges, label, 'saveCheckpoint()'));
  let end = 0;
  const planned = tensors.map(({ name, shape, codec, byteLength: wordBytes }, k) => {
    const { blockByteLength } = codec;
    // Elements that are rounded together have no shape but that of the blocks that they are.
    const ofFile = codec.isScaled ? [wordBytes / blockByteLength, blockByteLength] : shape;
    const hashed = { name, dtype: codec.dtype, shape: ofFile };
    const byteOffset = end;
    end += wordBytes;
    // In their order, one behind the other, as writeSafetensors() asks for them.
    const values = feed.take(byteOffset, valueBytes[k]!);
    return { ...hashed, data: note(checksum.passing(hashed, values), byteOffset) };
  });
  const sum = async function* () {
    yield checksum.digest();
  };
  const all = [...planned, { name: CHECKSUM, dtype: 'U8' as const, shape: [32], data: sum() }];
  const file = await openFile(sink);
  try {
    const bytes = await writeSafetensors(file.sink as 'bytes', all, metadata, { signal });
    await file.commit();
    return { byteLength, ...(sink === 'bytes' && { bytes }) };
  } catch (error) {
    // The first error says more than what it leaves behind.
    await file.discard().catch(() => undefined);
    throw error;
  } finally {
    await feed.close();
  }
}

function checkOptions(options: unknown): CheckedOptions {
  const fail = (message: string): never => {
    throw new OptimizerError('invalid-config', `saveCheckpoint(): ${message}`);
  };
  if (options !== undefined && !isRecord(options)) {
    fail(`the options are ${quote(options)}; give { params, signal, onProgress }, or nothing.`);
  }
  const given = copyGiven((options ?? {}) as Record<string, unknown>, KEYS);
  rejectUnknownKeys(given, KEYS, 'saveCheckpoint()', 'invalid-config');
  const { params = true, signal, onProgress } = given;
  if (typeof params !== 'boolean') fail(`params is ${quote(params)}; give true or false.`);
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    fail(`onProgress is ${quote(onProgress)}; give a function.`);
  }
  return { params, signal, onProgress } as CheckedOptions;
}
