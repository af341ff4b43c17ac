import type { LooseGroupConfig } from '../engine/input/config.js';
import type { Parameter } from '../engine/input/parameter/parameter.js';
import { OptimizerError, isRecord, quote } from '../errors.js';
import { copyGiven } from '../given.js';
import { type ArenaBuffer, rejectDestroyedArena } from '../gpu/arena-buffers.js';
import { encodeOrSubmit } from '../gpu/commands.js';
import { checkDevice, noticeLostDevice, rejectLostDevice } from '../gpu/device.js';
import { captureErrors, refusalError } from '../gpu/refusal.js';
import { type Planned, compileAll } from '../gpu/pipelines.js';
import { Reader } from '../gpu/copies/readback.js';
import type { RuleOverrides } from '../rules/rule.js';
import { asFloats } from '../gpu/copies/as-floats.js';
import { type Role, REMEDIES, allocationError, bindingOf, hasPaddedWord, makeBuffers } from './buffers.js';
import { type FillTask, planFill } from './fill-tensors.js';
import { type Fill, type Initializer, resolveInitializer } from './initializer.js';
import {
  type ArenaOptions,
  type ArenaSpec,
  type ResolvedArena,
  type ResolvedTensor,
  checkSeed,
  resolveArena,
} from './spec.js';

/**
 * Many tensors in few buffers: weights in some, gradients in others, each tensor at an offset that the device can bind.
 * An optimizer steps all tensors of a group and buffer in one dispatch, whatever their number, and `zeroGrad` is one
 * clear per buffer.
 *
 * @example
 * const arena = await ParameterArena.create(device, {
 *   w1: { shape: [784, 256], init: 'kaiming', group: 'decay' },
 *   b1: { shape: [256] },
 * }, { seed: 1 });
 * const optimizer = await Optimizer.create(device, { rule: adam(), params: arena.params });
 * // In one's own kernels: bind arena.view('w1') and arena.gradView('w1').
 */
export class ParameterArena {
  /** All tensors, in the order of the spec, for `Optimizer.create`. */
  readonly params: readonly Parameter[];
  readonly #device: GPUDevice;
  readonly #tensors: ReadonlyMap<string, ResolvedTensor>;
  readonly #data: readonly GPUBuffer[];
  readonly #grad: readonly GPUBuffer[];
  readonly #about: ArenaBuffer;
  readonly #reader: Reader;

  /** Creates the buffers; run it in error scopes. */
  private constructor(device: GPUDevice, resolved: ResolvedArena) {
    const { tensors, label } = resolved;
    this.#device = device;
    this.#tensors = tensors;
    this.#about = { arena: label, isDestroyed: false };
    this.#reader = new Reader(device, label);
    this.#data = makeBuffers(device, resolved, 'data', this.#about);
    this.#grad = makeBuffers(device, resolved, 'grad', this.#about);
    this.params = Object.freeze(
      [...tensors.values()].map(({ name, shape, kind, elementCount }) =>
        Object.freeze({
          name,
          shape,
          ...kind.options,
          // A view is whole words.
          ...(hasPaddedWord(kind, elementCount) && { length: elementCount }),
          data: Object.freeze(this.view(name)),
          grad: Object.freeze(this.gradView(name)),
        }),
      ),
    );
  }

  /**
   * Allocates the buffers and fills the tensors.
   *
   * @param spec per tensor its shape, and optionally its group, how it begins and its dtypes; see {@link ArenaSpec}.
   * @throws OptimizerError `invalid-config`, `invalid-option` or `invalid-parameter` if the spec is wrong, `limit-exceeded` if a tensor
   *   is larger than the device can bind, `out-of-memory` with the number of bytes that could be had, `device-lost`.
   */
  static async create(device: GPUDevice, spec: ArenaSpec, options?: ArenaOptions): Promise<ParameterArena> {
    checkDevice(device);
    const resolved = resolveArena(spec, options, device.limits);
    await noticeLostDevice(device);
    const { value: arena, refusal } = captureErrors(device, () => new ParameterArena(device, resolved));
    try {
      const shortage = await refusal;
      if (shortage) throw await allocationError(device, resolved, shortage);
      const filling = arena.#planFill([...resolved.tensors.values()], resolved.seed, false);
      await compileAll(device, filling.sources);
      await arena.#fill(filling);
      rejectLostDevice(device);
    } catch (failure) {
      arena.destroy();
      throw failure;
    }
    return arena;
  }

  /** Names of the groups, in the order of the spec. */
  get groupNames(): readonly string[] {
    return [...new Set([...this.#tensors.values()].map(({ group }) => group))];
  }

  /** Bytes of all buffers together, weights and gradients. */
  get byteLength(): number {
    return [...this.#data, ...this.#grad].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * The groups for `Optimizer.create`, each with its options.
   *
   * @param options per group, options that replace the rule's. Whether the rule has them, the config's types say.
   * @throws OptimizerError `invalid-config` if there is no such group.
   * @example groups: arena.groups({ decay: { weightDecay: 0.1 } })
   */
  groups<const O extends Readonly<Record<string, RuleOverrides>>>(
    options: O,
  ): LooseGroupConfig<object | O[keyof O]>[];
  /** The groups for `Optimizer.create`, all with the rule's options. */
  groups(): LooseGroupConfig<object>[];
  groups(options: Readonly<Record<string, object>> = {}): LooseGroupConfig<object>[] {
    const names = this.groupNames;
    const complain = (complaint: string) => {
      throw new OptimizerError('invalid-config', complaint);
    };
    if (!isRecord(options))
      complain(`the groups' options are ${quote(options)}; give { group: { …options } }.`);
    for (const [name, given] of Object.entries(options)) {
      if (!names.includes(name))
        complain(`the arena has no group ${quote(name)}; it has ${names.map(quote).join(', ')}.`);
      if (given !== undefined && !isRecord(given)) {
        complain(`the options of group ${quote(name)} are ${quote(given)}; give an object of them.`);
      }
    }
    const ofGroup = copyGiven(options);
    return names.map((name) => ({
      ...copyGiven((ofGroup[name] ?? {}) as Readonly<Record<string, unknown>>),
      params: this.params.filter((_, k) => [...this.#tensors.values()][k]!.group === name),
    }));
  }

  /** The shape of a tensor. */
  shape(name: string): readonly number[] {
    return this.#find(name, 'shape').shape;
  }

  /**
   * The weights of a tensor, to be bound in one's own kernels: whole words. Behind an odd number of elements of 2 bytes comes half a
   * word that is nobody's; of gradients, it has to stay 0.
   *
   * @throws OptimizerError `invalid-parameter` if the name is unknown, `destroyed` after `destroy()`.
   */
  view(name: string): Required<GPUBufferBinding> {
    return bindingOf(this.#find(name, 'view'), 'data', this.#data);
  }

  /** The gradients of a tensor, as {@link view}. */
  gradView(name: string): Required<GPUBufferBinding> {
    return bindingOf(this.#find(name, 'gradView'), 'grad', this.#grad);
  }

  /**
   * Replaces the weights of a tensor.
   *
   * @param values as many numbers as the tensor has elements; other types than its own are rounded to the nearest.
   * @throws OptimizerError `invalid-parameter` if the name is unknown or the length differs.
   */
  load(name: string, values: Float32Array | Float64Array | readonly number[]): void {
    const { shape, elementCount, kind } = this.#find(name, 'load');
    const floats = asFloats(values, elementCount);
    if (!floats) {
      const isLong = Array.isArray(values) || ArrayBuffer.isView(values);
      const given = isLong && 'length' in values ? `${values.length} values` : quote(values);
      throw new OptimizerError(
        'invalid-parameter',
        `load(${quote(name)}): ${given} for the shape ${quote(shape)}; give a typed array of ${elementCount} numbers.`,
      );
    }
    const { buffer, offset } = this.view(name);
    this.#device.queue.writeBuffer(buffer, offset, kind.data.encode(floats));
  }

  /**
   * Reads the weights of a tensor as they are at this point of the queue.
   *
   * @throws OptimizerError `invalid-parameter` if the name is unknown, `destroyed` after `destroy()`.
   */
  async read(name: string): Promise<Float32Array<ArrayBuffer>> {
    return this.#read(name, 'data', this.view(name), `tensor ${quote(name)}`);
  }

  /** Reads the gradients of a tensor, as {@link read}. */
  async readGrad(name: string): Promise<Float32Array<ArrayBuffer>> {
    return this.#read(name, 'grad', this.gradView(name), `gradient of tensor ${quote(name)}`);
  }

  /**
   * Fills a tensor anew. The same seed gives the same values as at creation.
   *
   * @param seed an integer in [0, 2⁵³). Default 0.
   * @throws OptimizerError `invalid-option` if the initialiser or the seed is wrong.
   */
  async initialize(name: string, initializer: Initializer, seed = 0): Promise<void> {
    // Submitted before anything is awaited, so that what the caller does next finds the values.
    const tensor = this.#find(name, 'initialize');
    const fill = resolveInitializer(initializer, tensor.shape, `tensor ${quote(name)}`);
    checkSeed(seed);
    const filling = this.#planFill([{ ...tensor, fill }], seed, true);
    await this.#fill(filling);
    await compileAll(this.#device, filling.sources);
  }

  /**
   * Sets all gradients to zero: in the caller's encoder, or submitted at once without one.
   *
   * @throws OptimizerError `invalid-config` if that is no command encoder, or `destroyed`.
   */
  zeroGrad(encoder?: GPUCommandEncoder): void {
    this.#rejectUnusable('zeroGrad');
    encodeOrSubmit(this.#device, encoder, `${this.#about.arena} zeroGrad`, 'zeroGrad()', (commands) => {
      for (const buffer of this.#grad) commands.clearBuffer(buffer);
    });
  }

  /** Frees all buffers. Optimizers over them can step no more. May be called twice. */
  destroy(): void {
    this.#about.isDestroyed = true;
    this.#reader.destroy();
    for (const buffer of [...this.#data, ...this.#grad]) buffer.destroy();
  }

  /** @param isUsed whether the tensors may hold something else than zeros. */
  #planFill(
    tensors: readonly (ResolvedTensor & { readonly fill: Fill })[],
    seed: number,
    isUsed: boolean,
  ): Planned<void> {
    const tasks = tensors
      // New buffers hold zeros.
      .filter(({ fill: { kind, shift } }) => isUsed || kind !== 'constant' || shift !== 0)
      .map(({ name, fill, kind, elementCount }): FillTask => ({
        name,
        fill,
        codec: kind.data,
        elementCount,
        view: this.view(name),
      }));
    return planFill(this.#device, tasks, seed, this.#about.arena);
  }

  /** Fills at once. @throws OptimizerError `out-of-memory` if what it takes beside the tensors could not be allocated. */
  async #fill(filling: Planned<void>): Promise<void> {
    const met = await captureErrors(this.#device, () => filling.make()).refusal;
    if (!met) return;
    // All buffers are the arena's own, so that only memory can be to blame.
    const shortage = { ...met, isShortage: true };
    throw refusalError(this.#device, shortage, 'filling the arena', REMEDIES);
  }

  async #read(
    name: string,
    role: Role,
    { buffer, offset, size }: Required<GPUBufferBinding>,
    what: string,
  ): Promise<Float32Array<ArrayBuffer>> {
    const [bytes] = await this.#reader.read([[{ buffer, byteOffset: offset, byteLength: size }]], what);
    const { kind, elementCount } = this.#tensors.get(name)!;
    return kind[role].decode(bytes!, elementCount);
  }

  #find(name: string, what: string): ResolvedTensor {
    this.#rejectUnusable(what);
    const tensor = this.#tensors.get(name);
    if (tensor) return tensor;
    const known = [...this.#tensors.keys()].slice(0, 20).map(quote).join(', ');
    throw new OptimizerError(
      'invalid-parameter',
      `${what}(): the arena has no tensor ${quote(name)}; it has ${known}.`,
    );
  }

  #rejectUnusable(what: string): void {
    rejectDestroyedArena([this.#about], `${what}()`);
    rejectLostDevice(this.#device);
  }
}
