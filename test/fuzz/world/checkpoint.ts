import { codecOfTensor, readManifest } from '../../../src/checkpoint/manifest.js';
import type { LoadedNames, StateDict } from '../../../src/index.js';
import { readSafetensors } from '../../../src/safetensors/index.js';
import { MASTER_SLOTS } from '../../../src/codecs/masters.js';
import type { GroupTwin } from '../model/twin.js';
import type { TensorTwin } from '../model/twin-tensor.js';
import { type MatchedGroup, matchDict } from '../model/match-dict.js';
import { setPlaces } from './memory.js';
import type { Subject } from './subject.js';

/** What a run is saved as. */
export interface SavedRun {
  readonly dict: StateDict;
  /** Weights by name; absent if they were not wanted. */
  readonly weights: Readonly<Record<string, Float32Array<ArrayBuffer>>> | undefined;
  /** As what they lie in the file, by name. */
  readonly dtypes: Readonly<Record<string, string>>;
  readonly frozen: readonly string[];
}

/** A file, and what the model says that it holds. */
export interface Checkpoint {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly run: SavedRun;
}

/** A checkpoint that is being loaded. */
export interface Loading {
  /** Has the model load it, at the moment when the library does. */
  readonly apply: () => void;
}

/** What a checkpoint of a run holds, made now. */
export function describeRun({ twin }: Subject, hasParams: boolean): SavedRun {
  const { tensors } = twin;
  return {
    dict: structuredClone(twin.stateDict()),
    weights: hasParams
      ? Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor.weights]))
      : undefined,
    dtypes: Object.fromEntries(hasParams ? tensors.map((tensor) => [tensor.name, savedDtype(tensor)]) : []),
    frozen: tensors.filter(({ isFrozen }) => isFrozen).map(({ name }) => name),
  };
}

const dtypeOf = ({ home }: TensorTwin): string => home.data[0]!.codec?.name ?? 'f32';

/** Columns of structs are saved as float32. */
const savedDtype = (tensor: TensorTwin): string => (tensor.home.data[0]!.rows ? 'f32' : dtypeOf(tensor));

/**
 * What a file holds.
 *
 * @param known what it should hold, which says how many elements bytes stand for.
 */
export async function readRun(bytes: Uint8Array<ArrayBuffer>, known?: SavedRun): Promise<SavedRun> {
  const file = await readSafetensors(bytes);
  const { dict, frozen, formats } = readManifest(file.metadata);
  const state: StateDict['state'] = Object.fromEntries(
    dict.groups.flatMap(({ params }) => params.map((name) => [name, {}])),
  );
  const weights: Record<string, Float32Array<ArrayBuffer>> = {};
  const dtypes: Record<string, string> = {};
  for (const [key, tensor] of file.tensors) {
    const codec = codecOfTensor(tensor, formats);
    if (!codec) continue;
    const { buffer } = (await tensor.bytes()).slice();
    const [role, name, slot] = key.split('.') as [string, string, string];
    const { blockLength, blockByteLength, isScaled } = codec;
    const elementCount = (tensor.byteLength / blockByteLength) * blockLength;
    const floats = codec.decode(buffer, isScaled ? known!.dict.state[name]![slot]!.length : elementCount);
    if (role === 'param') [weights[name], dtypes[name]] = [floats, codec.name];
    else state[name]![slot] = floats;
  }
  file.close();
  const hasWeights = Object.keys(weights).length > 0;
  return { dict: { ...dict, state }, weights: hasWeights ? weights : undefined, dtypes, frozen };
}

/** What a checkpoint has for a model. */
export interface Match {
  readonly groups: readonly MatchedGroup[];
  readonly names: LoadedNames;
}

/** What a checkpoint has for some groups; undefined if it does not fit. */
export function matchRun(
  { dict, weights, dtypes }: SavedRun,
  { twin }: Subject,
  isStrict: boolean,
): Match | undefined {
  // Of another kind of optimizer, the model does not know what comes of it.
  const isKnown = dict.rule === twin.rule.name && (dict.control !== undefined) === twin.countsOnGpu;
  if (!isKnown || !haveLengths(weights, twin.groups)) return undefined;
  // What is kept of weights goes with copies that are rounded alike.
  const isOfOthers = twin.tensors.some((tensor) => {
    const dtype = dtypes[tensor.name] ?? 'f32';
    const hasMasters = MASTER_SLOTS.some((slot) => dict.state[tensor.name]?.[slot]);
    return hasMasters && dtype !== 'f32' && dtype !== dtypeOf(tensor);
  });
  if (isStrict && isOfOthers) return undefined;
  return matchDict(dict, twin.groups, isStrict);
}

function haveLengths(weights: SavedRun['weights'], groups: readonly GroupTwin[]): boolean {
  const tensors = groups.flatMap((group) => group.tensors);
  return tensors.every(({ name, length }) => (weights?.[name] ?? { length }).length === length);
}

/** Has the model load a checkpoint. */
export function loadRun({ dict, weights, frozen }: SavedRun, { twin }: Subject, match: Match): void {
  const loaded = new Set(match.names.loaded);
  for (const tensor of twin.tensors) {
    const own = weights?.[tensor.name];
    if (own) setPlaces(tensor.home.data, own);
    if (loaded.has(tensor.name)) tensor.isFrozen = frozen.includes(tensor.name);
  }
  twin.load(structuredClone(dict), match.groups);
}
