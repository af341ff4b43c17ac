import { makeBuffer } from '../../gpu/make-buffer.js';
import exchangeWgsl from '../../../shaders/stages/evaluation/exchange.wgsl?raw';
import gateWgsl from '../../../shaders/stages/evaluation/gate.wgsl?raw';
import interpolateWgsl from '../../../shaders/stages/evaluation/interpolate.wgsl?raw';
import type { Masters } from '../../codecs/masters.js';
import { bindBuffers } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type Pipeline, getPipelineSync } from '../../gpu/pipelines.js';
import { rowLayout } from '../../kernel/row.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { commonOptions } from '../../rules/options/common-options.js';
import { declareRule } from '../../rules/declaring/declare-rule.js';
import { type SidePass, type SidePassInput, planSidePass } from './side-pass.js';

const slots = [{ name: 'kept' }] as const;

/** Weights and an average of them change places. */
const exchange = declareRule({
  name: 'exchange',
  wgsl: exchangeWgsl,
  options: commonOptions(0),
  slots,
  scalars: () => ({}),
  reference: (_, { w, s }) => {
    const evaluated = s.kept;
    s.kept = w;
    return evaluated;
  },
});

/** A share of a state is added; of either sign, so it is no option. */
export const interpolate = declareRule({
  name: 'interpolate',
  wgsl: interpolateWgsl,
  options: commonOptions(0),
  slots,
  scalars: () => ({ factor: 0 }),
  reference: ({ add, mul }, { w, s, h }) => add(w, mul(h.factor, s.kept)),
});

/** Tensors with the same history, which are evaluated with other weights than they train with. */
export interface EvaluatedRow {
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  /** The slot that they come from, and where slots lie. */
  readonly slot: string;
  readonly slab: (slot: string, index: number) => GPUBuffer;
  /** What keeps the weights more exactly, if anything does. */
  readonly masters: Masters | undefined;
  /** The share of it that is added to the weights; absent where the two change places. */
  readonly share?: number;
  /** Of {@link createPlace}; one per row, for good. */
  readonly place: GPUBuffer;
  readonly label: string;
}

/** Byte of a place that has the count of applied steps, to be written before tensors are exchanged. */
export const COUNT_OFFSET = 4;

/** Whether the weights to evaluate with are in the place of those that train, as the GPU knows it; 0 at first. */
export function createPlace(device: GPUDevice, label: string): GPUBuffer {
  const usage = BufferUsage.STORAGE | BufferUsage.COPY_DST;
  return makeBuffer(device, `${label} weights in place`, 8, usage);
}

/** Puts the weights to evaluate with in place of those that train, and back. */
export class Evaluation {
  readonly #passes: readonly SidePass[];
  readonly #gates: readonly { readonly pipeline: Pipeline; readonly groups: readonly GPUBindGroup[] }[];

  /**
   * Makes it; run it in error scopes.
   */
  constructor(
    device: GPUDevice,
    input: Pick<SidePassInput, 'facts' | 'nameOf'>,
    rows: readonly EvaluatedRow[],
  ) {
    this.#passes = rows.map(({ tensors, slot, slab, masters, share, label }) =>
      planSidePass({
        ...input,
        device,
        tensors: tensors.map((tensor) => withoutGradient(tensor)),
        rule: share === undefined ? exchange() : interpolate(),
        masters,
        slab: (name, index) => slab(name === masters?.slot ? name : slot, index),
        // To evaluate, and to train.
        rows: share === undefined ? [{}, {}] : [{ factor: share }, { factor: -share }],
        label: `${label} evaluation`,
      }).make(),
    );
    const row = rowLayout(layoutOf(interpolate()));
    this.#gates = [1, 0].map((wanted) => {
      const pipeline = getPipelineSync(device, {
        label: 'webgpu-optim evaluation gate',
        code: gateWgsl,
        entryPoint: 'gate',
        constants: { WANTED: wanted, ROW_WORDS: row.pageByteLength / 4 },
        bindGroups: [
          [
            { type: 'storage', minBindingSize: 8 },
            { type: 'storage', minBindingSize: 4 },
          ],
        ],
      });
      const groups = this.#passes.map(({ rows: fixed }, k) =>
        bindBuffers(device, 'webgpu-optim evaluation gate', pipeline.layouts[0]!, [
          { buffer: rows[k]!.place },
          { buffer: fixed.buffer },
        ]),
      );
      return { pipeline, groups };
    });
  }

  /** @param isEvaluating whether the weights to evaluate with are wanted, or those that train. */
  encode(pass: GPUComputePassEncoder, isEvaluating: boolean): void {
    const direction = isEvaluating ? 0 : 1;
    const { pipeline, groups } = this.#gates[direction]!;
    pass.setPipeline(pipeline.pipeline);
    for (const group of groups) {
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(1);
    }
    for (const side of this.#passes) side.encode(pass, direction);
  }

  destroy(): void {
    for (const side of this.#passes) side.destroy();
  }
}

/** What is put in place is so whatever is said of rows and limits: these are about steps. */
function withoutGradient({ index, data, rowLength, state }: PlanTensor<GPUBuffer>): PlanTensor<GPUBuffer> {
  return { index, row: 0, data, ...(rowLength !== undefined && { rowLength }), ...(state && { state }) };
}
