import { define } from '../../given.js';
import { READ_REMEDIES, captureErrors, refusalError } from '../../gpu/refusal.js';
import type { Reader } from '../../gpu/copies/readback.js';
import { planNorms } from '../../plan/norms/plan-norms.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { FixedRows } from '../../stages/fixed-rows.js';
import { NormMeasures } from '../../stages/norms/norm-measures.js';
import { normOfTotal } from '../../stages/norms/totals.js';
import { madeReading } from './state/made-reading.js';
import type { RunTensor } from '../run/group-part.js';
import type { Run } from '../run/run.js';

/** Norms of a parameter. */
export interface ParameterNorms {
  /** The L2 norm of its weights, all of them. */
  param: number;
  /**
   * The L2 norm of its unscaled gradient: times `gradScale`, over the loss scale, and before any clipping. Of a sparse gradient,
   * of the sums of its rows; rows that the `rowMask` leaves alone do not count.
   */
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
    private readonly run: Run,
    private readonly reader: Reader,
  ) {}

  /**
   * As `Optimizer.norms`; all is submitted before it returns its promise.
   *
   * @throws OptimizerError `invalid-parameter`, `out-of-memory` if the device rejects it; the run goes on.
   */
  async read(gradScale: number): Promise<Record<string, ParameterNorms>> {
    const { run } = this;
    const norms: Record<string, ParameterNorms> = {};
    if (run.parts.length === 0) return norms;
    const { device, label } = run.resources;
    const { value, refusal } = captureErrors(device, () => {
      const made = this.#make();
      const { measures, tensors } = made;
      const encoder = device.createCommandEncoder({ label: `${label} norms()` });
      const pass = encoder.beginComputePass({ label: `${label} norms()` });
      for (const part of run.parts) for (const { sums } of part.summedRows(part.tensors)) sums.encode(pass);
      measures.encode(pass, this.#rows!.context(0));
      pass.end();
      device.queue.submit([encoder.finish()]);
      const names = tensors.map(({ parameter }) => parameter.name);
      const lossScale = { buffer: run.lossScaleBuffer, byteOffset: 0, byteLength: 4 };
      return { made, names, bytes: this.reader.read([[lossScale], [measures.totals]], 'norms()') };
    });
    const [lossScale, totals] = await madeReading(value.bytes, refusal, (met) => {
      this.#drop(value.made);
      return refusalError(device, met, 'norms()', READ_REMEDIES);
    });
    const factor = gradScale / new Float32Array(lossScale!)[0]!;
    value.names.forEach((name, k) =>
      define(norms, name, {
        param: normOfTotal(totals!, 2 * k),
        grad: factor * normOfTotal(totals!, 2 * k + 1),
      }),
    );
    return norms;
  }

  destroy(): void {
    this.#made?.measures.destroy();
    // What it refers to may be the garbage collector's, see Retirement.
    this.#made = undefined;
    this.#rows?.destroy();
  }

  /** Forgets what the device may not have made. */
  #drop(made: Made): void {
    if (this.#made !== made) return;
    made.measures.destroy();
    this.#made = undefined;
  }

  /** What measures the parameters as they lie now; it is kept until they lie elsewhere. */
  #make(): Made {
    const { run } = this;
    const { version, resources } = run;
    if (this.#made?.version === version) return this.#made;
    const { device, row, pagesLayout, facts, label } = resources;
    this.#rows ??= new FixedRows(device, row, pagesLayout, [{ is_active: 1 }], `${label} norms()`);
    const tensors = run.parts.flatMap((part) => part.tensors);
    const measured = tensors.flatMap((tensor, k): PlanTensor<GPUBuffer>[] => {
      const { data, grad, rowLength, mask } = tensor.part.planTensor(tensor);
      const rows = { row: 0, ...(rowLength !== undefined && { rowLength }) };
      return [
        { ...rows, index: 2 * k, data, grad: data },
        { ...rows, index: 2 * k + 1, data: grad!, grad: grad!, ...(mask && { mask }) },
      ];
    });
    const input = { ...resources, label: `${label} norms()` };
    const measures = new NormMeasures(input, planNorms(measured, facts, false), undefined);
    // Whatever is encoded with it is submitted at once.
    this.#made?.measures.destroy();
    this.#made = { version, tensors, measures };
    return this.#made;
  }
}
