import { define } from '../../given.js';
import type { Reader } from '../../gpu/readback.js';
import { planNorms } from '../../plan/norms.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { FixedRows } from '../../stages/fixed-rows.js';
import { NormMeasures } from '../../stages/norms/norm-measures.js';
import { normOfPartials } from '../../stages/norms/partials.js';
import type { RunTensor } from '../run/group-part.js';
import type { Run } from '../run/run.js';
import type { Session } from '../session.js';

/** Norms of a parameter. */
export interface ParameterNorms {
  /** The L2 norm of its weights. */
  param: number;
  /** The L2 norm of its unscaled gradient: times `gradScale`, over the loss scale. Of a sparse one, of the sums of its rows. */
  grad: number;
}

/** What measures the parameters as they lie at some version of the run. */
interface Made {
  readonly version: number;
  readonly tensors: readonly RunTensor[];
  readonly measures: NormMeasures;
}

/** Measures parameters when it is asked to. */
export class Norms {
  #made: Made | undefined;
  #rows: FixedRows | undefined;

  constructor(
    private readonly session: Session,
    private readonly run: Run,
    private readonly reader: Reader,
  ) {}

  /** As `Optimizer.norms`; all is submitted before it returns its promise. */
  async read(gradScale: number): Promise<Record<string, ParameterNorms>> {
    const { device, config } = this.session;
    const { tensors, measures } = this.session.watch(() => {
      const made = this.#make();
      const encoder = device.createCommandEncoder({ label: `${config.label} norms()` });
      const pass = encoder.beginComputePass({ label: `${config.label} norms()` });
      for (const { sums } of this.run.parts.flatMap((part) => part.summedRows())) sums.encode(pass);
      made.measures.encode(pass, this.#rows!.context(0));
      pass.end();
      device.queue.submit([encoder.finish()]);
      return made;
    });
    const names = tensors.map(({ parameter }) => parameter.name);
    const partials = measures.plan.items.map((_, k) => [measures.partialsOf(k)]);
    const scale = [{ buffer: this.run.lossScaleBuffer, byteOffset: 0, byteLength: 4 }];
    const [lossScale, ...bytes] = await this.reader.read([scale, ...partials], 'norms');
    const factor = gradScale / new Float32Array(lossScale!)[0]!;
    const norms: Record<string, ParameterNorms> = {};
    names.forEach((name, k) => {
      const [param, grad] = [bytes[2 * k]!, bytes[2 * k + 1]!].map((each) => normOfPartials(each));
      define(norms, name, { param: param!, grad: factor * grad! });
    });
    return norms;
  }

  destroy(): void {
    this.#made?.measures.destroy();
    this.#rows?.destroy();
  }

  #make(): Made {
    const { run } = this;
    const { version, resources } = run;
    if (this.#made?.version === version) return this.#made;
    const { device, row, pagesLayout, facts, label } = resources;
    this.#rows ??= new FixedRows(device, row, pagesLayout, [{ grad_multiplier: 1 }], `${label} norms`);
    const tensors = run.parts.flatMap((part) => part.tensors);
    const measured = tensors.flatMap((tensor, k): PlanTensor<GPUBuffer>[] => {
      const { data, grad } = tensor.part.planTensor(tensor);
      return [data, grad!].map((pieces, which) => ({
        index: 2 * k + which,
        row: 0,
        data: pieces,
        grad: pieces,
      }));
    });
    const measures = new NormMeasures(resources, planNorms(measured, facts, false), undefined);
    if (this.#made) run.retire([this.#made.measures]);
    this.#made = { version, tensors, measures };
    return this.#made;
  }
}
