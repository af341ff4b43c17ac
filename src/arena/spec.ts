import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { copyGiven } from '../given.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import { type Fill, type Initializer, resolveInitializer } from './initializer.js';
import { VECTOR } from '../kernel/alignment.js';
import { type Place, layOut } from './layout.js';

/** One tensor of an arena. */
export interface ArenaTensor {
  /** Its axes: integers ≥ 1, as many as you like; `[]` is a single number. */
  shape: readonly number[];
  /** Tensors of one group lie together; see `ParameterArena.groups`. Default `'default'`. */
  group?: string;
  /** How it begins; see {@link Initializer}. Default `'zeros'`. */
  init?: Initializer;
}

/** The tensors of an arena by name; the names are those of the optimizer's parameters. */
export type ArenaSpec = Readonly<Record<string, ArenaTensor>>;

/** Options of `ParameterArena.create`. */
export interface ArenaOptions {
  /**
   * Seed of the random initial weights, an integer in [0, 2⁵³). Default 0. A tensor's values follow from seed, name and
   * position alone: Philox4x32-10, see `shaders/initialize.wgsl`.
   */
  seed?: number;
  /** Usage flags that the buffers get beside STORAGE, COPY_SRC and COPY_DST, e.g. `GPUBufferUsage.VERTEX`. Default 0. */
  usage?: GPUBufferUsageFlags;
  /** Prefix of the labels of all GPU objects. Default `'webgpu-optim arena'`. */
  label?: string;
}

/** A checked tensor with its place. */
export interface ResolvedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly group: string;
  readonly byteLength: number;
  readonly fill: Fill;
  readonly place: Place;
}

/** A checked arena: nothing of it is made yet. */
export interface ResolvedArena {
  readonly tensors: ReadonlyMap<string, ResolvedTensor>;
  /** Of the data buffers; the gradients' are the same. */
  readonly byteLengths: readonly number[];
  readonly alignment: number;
  readonly usage: GPUBufferUsageFlags;
  readonly seed: number;
  readonly label: string;
}

/** The device limits that decide how an arena is laid out. */
export interface ArenaLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly minStorageBufferOffsetAlignment: number;
}

const TENSOR_KEYS = ['shape', 'group', 'init'] satisfies (keyof ArenaTensor)[];
const OPTION_KEYS = ['seed', 'usage', 'label'] satisfies (keyof ArenaOptions)[];
const BYTES_PER_ELEMENT = 4;

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}

/**
 * Checks a spec and lays it out.
 *
 * @throws OptimizerError `invalid-config`, `invalid-option` or `limit-exceeded`, quoting what is wrong.
 */
export function resolveArena(
  spec: ArenaSpec,
  options: ArenaOptions | undefined,
  limits: ArenaLimits,
): ResolvedArena {
  if (!isRecord(spec)) {
    fail(`the spec is ${quote(spec)}; give { name: { shape }, … }.`);
  }
  if (Object.keys(spec).length === 0) fail('the spec is { }; give at least one tensor.');
  const { seed, usage, label } = resolveArenaOptions(options);
  // Both, so that a tensor fits a buffer and a binding of it.
  const capacity = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const largest = capacity - (capacity % VECTOR);
  const checked = Object.entries(spec).map(([name, tensor]) => checkTensor(name, tensor, largest));
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, 16);
  const { places, byteLengths } = layOut(checked, largest, alignment);
  const tensors = new Map(
    checked.map((tensor) => [tensor.name, { ...tensor, place: places.get(tensor.name)! }]),
  );
  return {
    tensors,
    byteLengths,
    alignment,
    usage: BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST | usage,
    seed,
    label,
  };
}

function resolveArenaOptions(options: unknown = {}): Required<ArenaOptions> {
  if (!isRecord(options)) {
    fail(`the options are ${quote(options)}; give { seed, usage, label } or nothing.`);
  }
  const given = copyGiven(options, OPTION_KEYS);
  rejectUnknownKeys(given, OPTION_KEYS, 'arena', 'invalid-config');
  const { seed = 0, usage = 0, label = 'webgpu-optim arena' } = given;
  checkSeed(seed);
  if (!Number.isInteger(usage) || (usage as number) < 0 || (usage as number) >= 2 ** 32) {
    fail(`usage is ${quote(usage)}; give GPUBufferUsage flags, e.g. GPUBufferUsage.VERTEX.`);
  }
  if (typeof label !== 'string') fail(`label is ${quote(label)}; give a string.`);
  return { seed: seed as number, usage: usage as number, label };
}

/** @throws OptimizerError `invalid-option` unless `seed` is an integer in [0, 2⁵³). */
export function checkSeed(seed: unknown): void {
  if (Number.isSafeInteger(seed) && (seed as number) >= 0) return;
  throw new OptimizerError('invalid-option', `seed is ${quote(seed)}; give an integer from 0 to 2^53 − 1.`);
}

function checkTensor(name: string, tensor: ArenaTensor, largest: number): Omit<ResolvedTensor, 'place'> {
  const what = `tensor ${quote(name)}`;
  if (name === '') fail('a tensor is named ""; give a name.');
  if (!isRecord(tensor)) fail(`${what} is ${quote(tensor)}; give { shape }.`);
  const given = copyGiven(tensor, TENSOR_KEYS);
  rejectUnknownKeys(given, TENSOR_KEYS, what, 'invalid-config');
  const { group = 'default', init = 'zeros' } = given;
  const shape = resolveShape(given['shape'], what);
  if (typeof group !== 'string' || group === '') {
    fail(`${what}: group is ${quote(group)}; give a non-empty string.`);
  }
  const byteLength = shape.reduce((product, n) => product * n, BYTES_PER_ELEMENT);
  if (byteLength > largest) {
    throw new OptimizerError(
      'limit-exceeded',
      `${what}: shape ${quote(shape)} takes ${byteLength} bytes, but this device binds at most ${largest}; request it ` +
        'with larger requiredLimits.maxStorageBufferBindingSize and maxBufferSize, or split the tensor.',
    );
  }
  return { name, shape, group, byteLength, fill: resolveInitializer(init as Initializer, shape, what) };
}

function resolveShape(shape: unknown, what: string): readonly number[] {
  // A copy first: `every` would pass over holes.
  const axes = Array.isArray(shape) ? Array.from<unknown>(shape) : undefined;
  if (!axes?.every((n) => Number.isSafeInteger(n) && (n as number) >= 1)) {
    fail(`${what}: shape is ${quote(shape)}; give an array of integers ≥ 1, or [] for a single number.`);
  }
  return Object.freeze(axes as number[]);
}
