import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../errors.js';
import { copyGiven } from '../given.js';
import * as BufferUsage from '../gpu/buffer-usage.js';
import { VECTOR, alignDown } from '../kernel/alignment.js';
import { groupBy } from '../plan/join.js';
import { LANE } from '../codecs/codec.js';
import { type ArenaDTypes, DTYPE_KEYS, type TensorKind, numberByteLength, resolveKind } from './dtypes.js';
import { type Fill, type Initializer, resolveInitializer } from './initializer.js';
import { type Place, layOut } from './layout.js';

/** One tensor of an arena. Its dtypes go before those of the arena. */
export interface ArenaTensor extends ArenaDTypes {
  /** Its axes: integers ≥ 1, as many as you like; `[]` is a single number. */
  shape: readonly number[];
  /** Tensors of one group lie together; see `ParameterArena.groups`. Default `'default'`. */
  group?: string;
  /** How it begins; see {@link Initializer}. Default `'zeros'`. */
  init?: Initializer;
}

/** The tensors of an arena by name; the names are those of the optimizer's parameters. */
export type ArenaSpec = Readonly<Record<string, ArenaTensor>>;

/** Options of `ParameterArena.create`. Its dtypes are those of the tensors that say nothing of theirs. */
export interface ArenaOptions extends ArenaDTypes {
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
  readonly kind: TensorKind;
  readonly elementCount: number;
  readonly fill: Fill;
  readonly place: Place;
}

/** A buffer of weights and one of gradients, for tensors of one kind. */
export interface ResolvedBuffer {
  readonly kind: TensorKind;
  readonly elementCount: number;
  /** Each tensor begins at a multiple of so many elements. */
  readonly alignment: number;
}

/** A checked arena: nothing of it is made yet. */
export interface ResolvedArena {
  readonly tensors: ReadonlyMap<string, ResolvedTensor>;
  readonly buffers: readonly ResolvedBuffer[];
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

const TENSOR_KEYS = ['shape', 'group', 'init', ...DTYPE_KEYS] satisfies (keyof ArenaTensor)[];
const OPTION_KEYS = ['seed', 'usage', 'label', ...DTYPE_KEYS] satisfies (keyof ArenaOptions)[];

function fail(message: string): never {
  throw new OptimizerError('invalid-config', message);
}

/**
 * Checks a spec and lays it out.
 *
 * @throws OptimizerError `invalid-config`, `invalid-option`, `invalid-parameter` or `limit-exceeded`, quoting what is wrong.
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
  const { seed, usage, label, ...dtypes } = resolveArenaOptions(options);
  // Both, so that a tensor fits a buffer and a binding of it.
  const capacity = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const largest = alignDown(capacity, VECTOR);
  const checked = Object.entries(spec).map(([name, tensor]) => checkTensor(name, tensor, dtypes, largest));
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, VECTOR);
  const buffers: ResolvedBuffer[] = [];
  const places = new Map<string, Place>();
  for (const list of groupBy(checked, ({ kind }) => `${kind.data.name} ${kind.grad.name}`)) {
    const { kind } = list[0]!;
    const sizes = [kind.data, kind.grad].map(numberByteLength);
    const room = alignDown(largest / Math.max(...sizes), LANE);
    const step = alignment / Math.min(...sizes);
    const layout = layOut(list, room, step);
    for (const [name, { bufferIndex, element }] of layout.places) {
      places.set(name, { bufferIndex: buffers.length + bufferIndex, element });
    }
    buffers.push(...layout.elementCounts.map((elementCount) => ({ kind, elementCount, alignment: step })));
  }
  const tensors = new Map(
    checked.map((tensor) => [tensor.name, { ...tensor, place: places.get(tensor.name)! }]),
  );
  return {
    tensors,
    buffers,
    usage: BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST | usage,
    seed,
    label,
  };
}

function resolveArenaOptions(
  options: unknown = {},
): Required<Pick<ArenaOptions, 'seed' | 'usage' | 'label'>> & ArenaDTypes {
  if (!isRecord(options)) {
    fail(`the options are ${quote(options)}; give { seed, usage, label, dtype, gradDtype } or nothing.`);
  }
  const given = copyGiven(options, OPTION_KEYS);
  rejectUnknownKeys(given, OPTION_KEYS, 'arena', 'invalid-config');
  const { seed = 0, usage = 0, label = 'webgpu-optim arena', ...dtypes } = given;
  checkSeed(seed);
  if (!Number.isInteger(usage) || (usage as number) < 0 || (usage as number) >= 2 ** 32) {
    fail(`usage is ${quote(usage)}; give GPUBufferUsage flags, e.g. GPUBufferUsage.VERTEX.`);
  }
  if (typeof label !== 'string') fail(`label is ${quote(label)}; give a string.`);
  resolveKind({}, dtypes, 'arena');
  return { seed: seed as number, usage: usage as number, label, ...dtypes };
}

/** @throws OptimizerError `invalid-option` unless `seed` is an integer in [0, 2⁵³). */
export function checkSeed(seed: unknown): void {
  if (Number.isSafeInteger(seed) && (seed as number) >= 0) return;
  throw new OptimizerError('invalid-option', `seed is ${quote(seed)}; give an integer from 0 to 2^53 − 1.`);
}

function checkTensor(
  name: string,
  tensor: ArenaTensor,
  dtypes: ArenaDTypes,
  largest: number,
): Omit<ResolvedTensor, 'place'> {
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
  const kind = resolveKind(given, dtypes, what);
  const elementCount = shape.reduce((product, n) => product * n, 1);
  const byteLength = Math.max(...[kind.data, kind.grad].map(numberByteLength)) * elementCount;
  if (byteLength > largest) {
    throw new OptimizerError(
      'limit-exceeded',
      `${what}: shape ${quote(shape)} takes ${byteLength} bytes, but this device binds at most ${largest}; request it ` +
        'with larger requiredLimits.maxStorageBufferBindingSize and maxBufferSize, or split the tensor.',
    );
  }
  return {
    name,
    shape,
    group,
    kind,
    elementCount,
    fill: resolveInitializer(init as Initializer, shape, what),
  };
}

function resolveShape(shape: unknown, what: string): readonly number[] {
  // A copy first: `every` would pass over holes.
  const axes = Array.isArray(shape) ? Array.from<unknown>(shape) : undefined;
  if (!axes?.every((n) => Number.isSafeInteger(n) && (n as number) >= 1)) {
    fail(`${what}: shape is ${quote(shape)}; give an array of integers ≥ 1, or [] for a single number.`);
  }
  return Object.freeze(axes as number[]);
}
