import { alignUp } from '../kernel/alignment.js';
import { compile, compileSync } from '../kernel/compilable.js';
import { scalarNames, scalarsByteLength, stepScalars } from '../kernel/scalars.js';
import { PLAIN_STEP } from '../kernel/variant.js';
import { OptimizerError } from '../errors.js';
import type { ResolvedGroup } from './config.js';
import { captureErrors } from './device.js';
import { GroupExecutor } from './group-executor.js';
import { type PreparedGroup, prepareGroup } from './prepare-group.js';

/**
 * An operation between two lists of buffers, in the form of a rule without state: so it shares the steps' lanes, edges
 * and bindings. It is made with all that it may be asked for, and encoding it creates nothing.
 */
export class SidePass {
  readonly #executor: GroupExecutor;
  readonly #scalars: GPUBuffer;
  readonly #scalarsGroup: GPUBindGroup;
  readonly #stride: number;
  readonly #offset = new Uint32Array(1);
  readonly #label: string;

  private constructor(
    private readonly device: GPUDevice,
    private readonly prepared: PreparedGroup,
    factors: readonly number[],
    label: string,
  ) {
    const { rule } = prepared.group;
    this.#label = label;
    this.#executor = new GroupExecutor(device, prepared, label);
    const byteLength = scalarsByteLength(rule);
    const alignment = device.limits.minUniformBufferOffsetAlignment;
    this.#stride = alignUp(byteLength, alignment);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.#scalars = device.createBuffer({ label, size: this.#stride * factors.length, usage });
    this.setFactors(factors);
    this.#scalarsGroup = device.createBindGroup({
      label,
      layout: this.#executor.scalarsLayout,
      entries: [{ binding: 0, resource: { buffer: this.#scalars, size: byteLength } }],
    });
  }

  /**
   * Compiles and binds it.
   *
   * @param group the operation, and its buffers: `data`, and in the place of a gradient the other operand.
   * @param factors the values of the rule's lr that it may be encoded with.
   * @param label what it is, for labels and errors.
   * @throws OptimizerError `out-of-memory`, or `invalid-parameter` if the device rejects a buffer.
   */
  static async create(
    device: GPUDevice,
    group: ResolvedGroup,
    factors: readonly number[],
    label: string,
  ): Promise<SidePass> {
    const prepared = await compile(device, prepareGroup(device, group, PLAIN_STEP));
    const { result: pass, error } = await captureErrors(
      device,
      () => new SidePass(device, prepared, factors, label),
    );
    try {
      if (error) throw new OptimizerError('out-of-memory', `${label} got no memory: ${error.message.trim()}`);
      await pass.#executor.bind(pass.#scalarsGroup);
      return pass;
    } catch (failure) {
      pass.destroy();
      throw failure;
    }
  }

  /** As {@link SidePass.create}, at once: compiles while the caller waits; run it in error scopes. */
  static createSync(
    device: GPUDevice,
    group: ResolvedGroup,
    factors: readonly number[],
    label: string,
  ): SidePass {
    const prepared = compileSync(device, prepareGroup(device, group, PLAIN_STEP));
    const pass = new SidePass(device, prepared, factors, label);
    pass.#executor.bindSync();
    return pass;
  }

  /** Replaces the factors, as many as there are, from the next submission on. */
  setFactors(factors: readonly number[]): void {
    const { rule } = this.prepared.group;
    factors.forEach((factor, k) => {
      const values = stepScalars(rule, factor, 1);
      const words = Float32Array.from(scalarNames(rule), (name) => values[name]!);
      this.device.queue.writeBuffer(this.#scalars, this.#stride * k, words);
    });
  }

  /** The operation over other buffers from then on; as {@link GroupExecutor.prepareRebind}. */
  prepareRebind(group: ResolvedGroup): () => void {
    return this.#executor.prepareRebind(group);
  }

  /** @param factor index of the factor. */
  encode(encoder: GPUCommandEncoder, factor = 0): void {
    const pass = encoder.beginComputePass({ label: this.#label });
    this.#offset[0] = this.#stride * factor;
    this.#executor.encode(pass, this.#scalarsGroup, this.#offset);
    pass.end();
  }

  destroy(): void {
    this.#executor.destroy();
    this.#scalars.destroy();
  }
}
