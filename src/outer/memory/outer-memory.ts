import type { Resources } from '../../engine/run/resources.js';
import { type Planned, compileAll } from '../../gpu/pipelines.js';
import { captureErrors, refusalError } from '../../gpu/refusal.js';
import type { SidePass } from '../../stages/side/side-pass.js';
import { type DeltaFormat, isLossy, isSameFormat } from '../deltas/compress.js';
import { planChunkPacking } from './chunk-packing.js';
import { planCodecPacking } from './codec-packing.js';
import type { Packing } from './packing.js';
import type { Places } from './places.js';
import { type FloatSlabs, copySlabs, makeSlabs } from './slabs.js';
import { type OuterSlabs, planKeeping } from './weight-passes.js';

/** Made with kernels that are compiled already. */
async function makeChecked<T extends { destroy(): void }>(
  device: GPUDevice,
  planned: Planned<T>,
  call: string,
): Promise<T> {
  await compileAll(device, planned.sources);
  const { value, refusal } = captureErrors(device, () => planned.make());
  const met = await refusal.catch((error: unknown) => {
    value.destroy();
    throw error;
  });
  if (!met) return value;
  value.destroy();
  throw refusalError(device, met, call, {
    shortage: 'Use fewer or smaller parameters, or free memory.',
    rejection: 'Give an optimizer whose buffers are neither destroyed nor mapped.',
  });
}

/** What an outer optimizer has on the GPU beside its anchor's optimizer. */
export class OuterMemory implements OuterSlabs {
  readonly anchor: FloatSlabs;
  readonly base: FloatSlabs;
  readonly pending: FloatSlabs;
  /** Where deltas are summed. Without feedback, what is pending is given away whole, so that its place is free. */
  readonly mean: FloatSlabs;
  /** Weights that `masterWeights` keeps more exactly, if there are any. */
  readonly exact: FloatSlabs | undefined;
  #own: Packing | undefined;
  #keeping: SidePass | undefined;
  readonly #others: { readonly format: DeltaFormat; readonly packing: Packing }[] = [];

  private constructor(
    private readonly resources: Pick<Resources, 'device' | 'facts'>,
    readonly places: Places,
    readonly format: DeltaFormat,
    isExact: boolean,
    private readonly label: string,
  ) {
    const { device } = resources;
    const make = (name: string) => makeSlabs(device, places, `${label} ${name}`);
    this.anchor = make('anchor');
    this.base = make('base');
    this.mean = make('mean');
    this.pending = isLossy(format) ? make('pending') : this.mean;
    this.exact = isExact ? make('exact') : undefined;
  }

  /** @throws OptimizerError `out-of-memory`, `device-lost`. */
  static async create(
    resources: Pick<Resources, 'device' | 'facts'>,
    places: Places,
    format: DeltaFormat,
    isExact: boolean,
    label: string,
    call: string,
  ): Promise<OuterMemory> {
    const { device } = resources;
    const make = () => new OuterMemory(resources, places, format, isExact, label);
    const memory = await makeChecked(device, { sources: [], make }, call);
    try {
      memory.#own = await makeChecked(device, memory.#planPacking(format, true), call);
      if (isLossy(format)) {
        memory.#keeping = await makeChecked(
          device,
          planKeeping(resources, places, () => memory, label),
          call,
        );
      }
      return memory;
    } catch (error) {
      memory.destroy();
      throw error;
    }
  }

  get hasFeedback(): boolean {
    return isLossy(this.format);
  }

  /** What packs deltas of this peer. */
  get own(): Packing {
    return this.#own!;
  }

  /** What reads deltas of a format; made when the first one of it comes. @throws OptimizerError `out-of-memory`, `device-lost`. */
  async packingOf(format: DeltaFormat, call: string): Promise<Packing> {
    if (isSameFormat(format, this.format)) return this.own;
    const known = this.#others.find((other) => isSameFormat(format, other.format));
    if (known) return known.packing;
    const packing = await makeChecked(this.resources.device, this.#planPacking(format, false), call);
    this.#others.push({ format, packing });
    return packing;
  }

  /** Makes what was given to others the peer's own again. */
  encodeKeeping(encoder: GPUCommandEncoder): void {
    if (this.#keeping) {
      const pass = encoder.beginComputePass({ label: `${this.label} keep` });
      this.own.encodeTaking(pass, true);
      this.#keeping.encode(pass);
      pass.end();
    }
    copySlabs(encoder, this.anchor, this.base);
  }

  /** Forgets what was left over. */
  encodeForgetting(encoder: GPUCommandEncoder): void {
    if (this.hasFeedback) for (const slab of this.pending) encoder.clearBuffer(slab);
  }

  destroy(): void {
    this.#own?.destroy();
    this.#keeping?.destroy();
    for (const { packing } of this.#others) packing.destroy();
    for (const slab of new Set([
      ...this.anchor,
      ...this.base,
      ...this.pending,
      ...this.mean,
      ...(this.exact ?? []),
    ]))
      slab.destroy();
  }

  #planPacking(format: DeltaFormat, isOwn: boolean): Planned<Packing> {
    const { resources, places, mean, label } = this;
    const pending = isOwn ? this.pending : undefined;
    const input = { ...resources, places, format, pending, mean, label: `${label} ${nameOf(format)}` };
    return format.codec ? planCodecPacking(input, format.codec) : planChunkPacking(input, format.topK);
  }
}

const nameOf = ({ compress }: DeltaFormat): string => (typeof compress === 'string' ? compress : 'top-k');
