import { OptimizerError, quote } from '../errors.js';
import { paddingOf } from './arena-buffers.js';
import type { Span } from './span.js';
import { joinPieces } from './plan/runs.js';

/** Zeroes gradients with as few commands as their places allow: neighbouring ranges are cleared as one. */
export class GradientClearer {
  readonly #spans: readonly Span[];

  constructor(spans: readonly Span[]) {
    this.#spans = joinPieces(spans, paddingOf, true);
  }

  /** @throws OptimizerError `invalid-parameter` if a buffer lacks COPY_DST. */
  encode(encoder: GPUCommandEncoder): void {
    for (const { buffer } of this.#spans) {
      if ((buffer.usage & GPUBufferUsage.COPY_DST) !== 0) continue;
      throw new OptimizerError(
        'invalid-parameter',
        `zeroGrad: gradient buffer ${quote(buffer.label)} has usage 0x${buffer.usage.toString(16)}, without COPY_DST; ` +
          'create it with GPUBufferUsage.COPY_DST.',
      );
    }
    for (const { buffer, byteOffset, byteLength } of this.#spans) {
      encoder.clearBuffer(buffer, byteOffset, byteLength);
    }
  }
}
