import { isRecord, quote } from '../errors.js';
import { type Codec, byteLengthOf } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import { copyGiven, define } from '../given.js';
import { checkState, loadChecked } from '../engine/calls/state/restoring.js';
import { Upload, encodeWeightsFrom } from '../engine/calls/state/uploading.js';
import type { Insides } from '../engine/session.js';
import type { RunTensor } from '../engine/run/group-part.js';
import { checkLoadOptions } from '../engine/saved/check-state-dict.js';
import { rejectMisfits } from '../engine/saved/check-values.js';
import type { LoadedNames } from '../engine/saved/state-dict.js';
import { encodeCopies } from '../gpu/copies/copy-ranges.js';
import { alignDown } from '../kernel/alignment.js';
import { type Remedies, captureErrors, refusalError } from '../gpu/refusal.js';
import type { ByteRange } from '../gpu/copies/byte-range.js';
import { type SafetensorsFile, readSafetensors } from '../safetensors/read.js';
import type { SafetensorsSource } from '../safetensors/source.js';
import type { SafetensorsTensor } from '../safetensors/tensor.js';
import { piecesOf } from './checksum.js';
import { type AcceptedTensor, acceptTensor, rejectOtherCopies, rejectUnwritable } from './accept.js';
import { type Manifest, nameOfTensor, readManifest, refuse } from './manifest.js';
import { readVerified } from './verify.js';

/** Per parameter, the tensor of each slot. */
type SavedState = Record<string, Record<string, SafetensorsTensor>>;

/** Loads a checkpoint into what is inside an optimizer: `loadCheckpoint`, which says more. */
export async function loadInto(
  insides: Insides,
  source: SafetensorsSource,
  options?: unknown,
): Promise<LoadedNames> {
  const { guard } = insides.session;
  guard.checkTraining('loadCheckpoint()');
  const { signal, ...rest } = isRecord(options) ? copyGiven(options) : { signal: undefined };
  const isStrict = checkLoadOptions(isRecord(options) ? rest : options, 'loadCheckpoint()');
  // What the source and the signal reject with is not the device's.
  const file = await readSafetensors(source, { signal: signal as AbortSignal | undefined });
  try {
    return await loadFile(insides, file, isStrict);
  } finally {
    file.close();
  }
}

async function loadFile(insides: Insides, file: SafetensorsFile, isStrict: boolean): Promise<LoadedNames> {
  const { session, run } = insides;
  const manifest = readManifest(file.metadata);
  const state = stateOf(file, manifest);
  // What does not fit is known before it is read, and checked again when it is there: the run goes on meanwhile.
  const wanted = planLoading(insides, manifest, state, file, isStrict);
  const label = `${run.resources.label} checkpoint`;
  const byteLength = wanted.reduce(
    (sum, { codec, elementCount }) => sum + byteLengthOf(codec, elementCount),
    0,
  );
  const upload = new Upload(session.device, label, byteLength, (met) =>
    refusalError(
      session.device,
      met,
      `loadCheckpoint(), which holds ${byteLength} bytes until all of them are there`,
      REMEDIES,
    ),
  );
  try {
    const ranges = await readAll(file, new Map(wanted.map((each) => [each.tensor, each])), upload);
    session.guard.checkTraining('loadCheckpoint()');
    return await apply(insides, manifest, state, file, ranges, isStrict);
  } finally {
    upload.destroy();
  }
}

/** The tensors of the state, by parameter and slot. */
function stateOf(file: SafetensorsFile, { dict }: Manifest): SavedState {
  const state: SavedState = {};
  if (!Array.isArray(dict.groups)) refuse(`groups is ${quote(dict.groups)}; it should be a list.`);
  const names = dict.groups.flatMap((group: unknown) =>
    isRecord(group) && Array.isArray(group['params']) ? (group['params'] as unknown[]) : [],
  );
  const known = new Set<string>(names.map(String));
  for (const name of known) define(state, name, {});
  for (const [name, tensor] of file.tensors) {
    if (!name.startsWith('state.')) continue;
    const dot = name.lastIndexOf('.');
    const param = name.slice('state.'.length, dot);
    if (dot < 'state.'.length || !known.has(param)) {
      refuse(
        `tensor ${quote(name)} is of no parameter of the file's groups; give a file that saveCheckpoint() wrote.`,
      );
    }
    define(state[param]!, name.slice(dot + 1), tensor);
  }
  return state;
}

/** Weights of parameters that are here, and where the file has them. */
function paramsOf(
  { session }: Insides,
  file: SafetensorsFile,
): { tensor: RunTensor; saved: SafetensorsTensor }[] {
  return [...session.names.values()].flatMap((tensor) => {
    const saved = file.tensors.get(nameOfTensor(tensor.parameter.name));
    return saved ? [{ tensor, saved }] : [];
  });
}

/** A tensor that is to be read, and how what it says is to lie in memory. */
interface WantedTensor extends AcceptedTensor {
  readonly elementCount: number;
  readonly codec: Codec;
}

/** Checks that a file fits, changing nothing. @returns the tensors that are to be read. */
function planLoading(
  insides: Insides,
  manifest: Manifest,
  state: SavedState,
  file: SafetensorsFile,
  isStrict: boolean,
): WantedTensor[] {
  const { session } = insides;
  const found: WantedTensor[] = [];
  checkState({ ...manifest.dict, state }, session, isStrict, (given, elementCount, what, codec) => {
    found.push({ ...acceptTensor(given, elementCount, what, manifest), elementCount, codec });
  });
  const params = paramsOf(insides, file);
  const hasParams = [...file.tensors.keys()].some((name) => name.startsWith('param.'));
  if (isStrict && hasParams && params.length < session.names.size) {
    const given = new Set(params.map(({ tensor }) => tensor));
    const missing = [...session.names.values()].filter((tensor) => !given.has(tensor));
    refuse(
      `the file has no weights of ${quote(missing.map(({ parameter }) => parameter.name))}; load it with { strict: false }.`,
    );
  }
  for (const { tensor, saved } of params) {
    const { name, elementCount, data } = tensor.parameter;
    const accepted = acceptTensor(saved, elementCount, `weights of parameter ${quote(name)}`, manifest);
    rejectUnwritable(tensor);
    if (isStrict) rejectOtherCopies(tensor, accepted.saved);
    found.push({ ...accepted, elementCount, codec: data[0]!.codec ?? f32 });
  }
  return found;
}

/** Reads all tensors in their order, holds them against the checksum, and keeps some. @returns where those lie. */
async function readAll(
  file: SafetensorsFile,
  wanted: ReadonlyMap<SafetensorsTensor, WantedTensor>,
  upload: Upload,
): Promise<Map<SafetensorsTensor, ByteRange[]>> {
  const ranges = new Map<SafetensorsTensor, ByteRange[]>();
  await readVerified(
    file,
    async (tensor, pieces) => {
      const own: ByteRange[] = [];
      const asked = wanted.get(tensor);
      for await (const piece of asked ? recoded(pieces, asked) : pieces) {
        if (asked) own.push(...(await upload.write(piece)));
      }
      ranges.set(tensor, own);
    },
    (message) => refuse(`the file ${message}; give one as saveCheckpoint() wrote it.`),
  );
  return ranges;
}

/** What is recoded at once, at most: as many blocks as are whole ones of every other codec, too. */
const RECODED_BYTE_LENGTH = 8 * 2 ** 20;
const LONGEST_BLOCK = 64;

/** The values of a tensor's bytes as another codec keeps them, in whole blocks. */
async function* recoded(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  { tensor, saved, codec, elementCount }: WantedTensor,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const { blockLength, blockByteLength } = saved;
  const atOnce = alignDown(RECODED_BYTE_LENGTH, blockByteLength * LONGEST_BLOCK);
  let left = elementCount;
  for await (const piece of piecesOf(pieces, atOnce)) {
    const own = Math.min(left, (atOnce / blockByteLength) * blockLength);
    left -= own;
    if (saved === codec && piece.byteLength % 4 === 0) {
      yield piece;
      continue;
    }
    const values = saved.decode(piece.slice().buffer, own);
    rejectMisfits(codec, values, `tensor ${quote(tensor.name)}`);
    yield codec.encode(values);
  }
}

/** Gives the run what was read; all of it is submitted before this returns its promise. */
async function apply(
  insides: Insides,
  manifest: Manifest,
  state: SavedState,
  file: SafetensorsFile,
  ranges: ReadonlyMap<SafetensorsTensor, readonly ByteRange[]>,
  isStrict: boolean,
): Promise<LoadedNames> {
  const { session, run } = insides;
  const { device } = session;
  const label = `${run.resources.label} loadCheckpoint()`;
  const wanted = planLoading(insides, manifest, state, file, isStrict);
  const missed = wanted.find(({ tensor }) => !ranges.get(tensor)?.length && tensor.byteLength > 0);
  if (missed) {
    refuse(
      `the optimizer's parameters changed while the file was read: ${quote(missed.tensor.name)} was not there before; load it again.`,
    );
  }
  const copies: { from: readonly ByteRange[]; to: readonly ByteRange[] }[] = [];
  const params = paramsOf(insides, file).map(({ tensor, saved }) => ({
    parameter: tensor.parameter,
    ranges: ranges.get(saved)!,
  }));
  const submit = (encode: (encoder: GPUCommandEncoder) => () => void) => {
    const encoder = device.createCommandEncoder({ label });
    const free = encode(encoder);
    device.queue.submit([encoder.finish()]);
    free();
  };
  const { value: names, refusal } = captureErrors(device, () => {
    const accept = (given: unknown, valueCount: number, what: string) =>
      acceptTensor(given, valueCount, what, manifest).tensor;
    const loaded = loadChecked(run, session, { ...manifest.dict, state }, isStrict, accept, {
      // Averages that the file does not have begin from the weights.
      before: () => submit((encoder) => encodeWeightsFrom(run.resources, encoder, params, label)),
      write: (tensor, slot, saved) =>
        copies.push({ from: ranges.get(saved)!, to: tensor.part.stateRanges(slot, tensor.index) }),
    });
    submit((encoder) => encodeCopies(device, encoder, copies, label));
    return loaded;
  });
  const frozen = new Set(manifest.frozen);
  const loaded = names.loaded.map((name) => session.names.get(name)!);
  run.setFrozen(new Set(loaded.filter(({ parameter }) => frozen.has(parameter.name))), true);
  run.setFrozen(new Set(loaded.filter(({ parameter }) => !frozen.has(parameter.name))), false);
  const met = await refusal;
  if (met) throw refusalError(device, met, 'loadCheckpoint()', REMEDIES);
  return names;
}

const REMEDIES: Remedies = {
  shortage: 'Free memory first; if steps fail, too, create the optimizer anew.',
  rejection: 'Give buffers that are neither destroyed nor mapped; create the optimizer anew.',
};
