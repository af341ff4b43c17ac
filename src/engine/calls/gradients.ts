import { OptimizerError, quote } from '../../errors.js';
import { paddingOf } from '../../gpu/arena-buffers.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { joinPieces } from '../../plan/join.js';
import { ELEMENT_BYTE_LENGTH, type Piece } from '../../plan/pieces.js';
import type { Run } from '../run/run.js';

/** Zeroes gradients and adds those of micro-batches. */
export class Gradients {
  #pieces: readonly Piece<GPUBuffer>[] = [];
  #version = -1;

  constructor(private readonly run: Run) {}

  /**
   * Zeroes them with as few commands as their places allow: neighbouring ranges are cleared as one.
   *
   * @throws OptimizerError `invalid-parameter` if a buffer lacks COPY_DST.
   */
  clear(encoder: GPUCommandEncoder): void {
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
  }

  /** Whether any parameter has a `microGrad`. */
  get areAccumulated(): boolean {
    return this.run.parts.some(({ accumulation }) => accumulation);
  }

  /** Adds the gradients of a micro-batch. */
  accumulate(encoder: GPUCommandEncoder): void {
    const pass = encoder.beginComputePass({ label: `${this.run.resources.label} accumulate` });
    for (const { accumulation } of this.run.parts) accumulation?.encode(pass);
    pass.end();
  }

  #find(): readonly Piece<GPUBuffer>[] {
    const { parts, version } = this.run;
    if (this.#version !== version) {
      const all = parts.flatMap(({ tensors }) => tensors.flatMap(({ parameter }) => parameter.grad));
      this.#pieces = joinPieces(all, paddingOf, true);
      this.#version = version;
    }
    return this.#pieces;
  }
}
