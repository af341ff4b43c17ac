import { OptimizerError, quote } from '../../errors.js';
import { paddingOf } from '../../gpu/arena-buffers.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { joinPieces } from '../../plan/join.js';
import { ELEMENT_BYTE_LENGTH, type Piece, type PlanTensor, cutAtWords } from '../../plan/pieces.js';
import { makeClearing } from '../../stages/side/rows.js';
import type { SidePass } from '../../stages/side/side-pass.js';
import type { RunTensor } from '../run/group-part.js';
import type { Run, Watch } from '../run/run.js';

/** Zeroes gradients and adds those of micro-batches. */
export class Gradients {
  #pieces: readonly Piece<GPUBuffer>[] = [];
  /** Zeroes those whose rows lie apart, and what shares a word with something else; none where there is nothing of that. */
  #clearing: SidePass | undefined;
  #version = -1;

  constructor(
    private readonly run: Run,
    private readonly watch: Watch,
  ) {}

  /**
   * Zeroes them with as few commands as their places allow: neighbouring ranges are cleared as one. Those of rows that lie apart,
   * and a last one that has half a word, take kernels, which leave alone what lies between, and beside.
   *
   * @param isPending whether the encoder is a caller's.
   * @throws OptimizerError `invalid-parameter` if a buffer lacks COPY_DST.
   */
  clear(encoder: GPUCommandEncoder, isPending: boolean): void {
    const pieces = this.#find();
    for (const { buffer } of pieces) {
      if ((buffer.usage & BufferUsage.COPY_DST) !== 0) continue;
      throw new OptimizerError(
        'invalid-parameter',
        `zeroGrad: gradient buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, without COPY_DST; ` +
          'create it with GPUBufferUsage.COPY_DST.',
      );
    }
    for (const { buffer, byteOffset, elementCount } of pieces) {
      encoder.clearBuffer(buffer, byteOffset, ELEMENT_BYTE_LENGTH * elementCount);
    }
    if (!this.#clearing) return;
    if (isPending) this.run.expectSubmission();
    const pass = encoder.beginComputePass({ label: `${this.run.resources.label} zeroGrad` });
    this.#clearing.encode(pass);
    pass.end();
  }

  /** Whether any parameter has a `microGrad`. */
  get areAccumulated(): boolean {
    return this.run.parts.some(({ accumulation }) => accumulation);
  }

  /**
   * Adds the gradients of a micro-batch.
   *
   * @param isPending whether the encoder is a caller's.
   */
  accumulate(encoder: GPUCommandEncoder, isPending: boolean): void {
    const { run } = this;
    if (isPending) run.expectSubmission();
    const pass = encoder.beginComputePass({ label: `${run.resources.label} accumulate` });
    for (const { accumulation } of run.parts) accumulation?.encode(pass);
    pass.end();
  }

  #find(): readonly Piece<GPUBuffer>[] {
    const { run } = this;
    const { parts, version } = run;
    if (this.#version !== version) {
      const tensors = parts.flatMap((part) => part.tensors);
      const dense = ({ grad }: RunTensor['parameter']) => grad.filter(({ rows }) => !rows).map(cutAtWords);
      const all = tensors.flatMap(({ parameter }) => dense(parameter).flatMap(({ whole }) => whole));
      this.#pieces = joinPieces(all, paddingOf, true);
      if (this.#clearing) run.retire([this.#clearing]);
      const apart = tensors.flatMap(({ index, parameter }): PlanTensor<GPUBuffer>[] => {
        const data = parameter.grad.filter(({ rows }) => rows);
        const rest = dense(parameter).flatMap(({ rest: last }) => last);
        return [
          ...(data.length > 0 ? [{ index, row: 0, data, rowLength: parameter.rowLength! }] : []),
          ...(rest.length > 0 ? [{ index, row: 0, data: rest }] : []),
        ];
      });
      this.#clearing = apart.length > 0 ? this.watch(() => this.#makeClearing(apart)) : undefined;
      this.#version = version;
    }
    return this.#pieces;
  }

  destroy(): void {
    this.#clearing?.destroy();
  }

  #makeClearing(tensors: readonly PlanTensor<GPUBuffer>[]): SidePass {
    const { device, facts, nameOf, label } = this.run.resources;
    return makeClearing({ device, facts, nameOf, tensors, label: `${label} zeroGrad` });
  }
}
