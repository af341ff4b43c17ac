import { OptimizerError, quote } from '../errors.js';
import type { Span } from './parameter.js';

/** Zeroes gradients with as few commands as their places allow: neighbouring ranges are cleared as one. */
export class GradientClearer {
  readonly #spans: readonly Span[];

  constructor(spans: readonly Span[]) {
    this.#spans = mergeNeighbours(spans);
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

function mergeNeighbours(spans: readonly Span[]): Span[] {
  const spansOfBuffer = new Map<GPUBuffer, Span[]>();
  for (const span of spans) {
    const ofBuffer = spansOfBuffer.get(span.buffer);
    if (ofBuffer) ofBuffer.push(span);
    else spansOfBuffer.set(span.buffer, [span]);
  }
  const merged: Span[] = [];
  for (const ofBuffer of spansOfBuffer.values()) {
    let last: Span | undefined;
    for (const span of ofBuffer.toSorted((a, b) => a.byteOffset - b.byteOffset)) {
      const end = span.byteOffset + span.byteLength;
      if (last && span.byteOffset <= last.byteOffset + last.byteLength) {
        const lastEnd = Math.max(last.byteOffset + last.byteLength, end);
        last = { ...last, byteLength: lastEnd - last.byteOffset };
        merged[merged.length - 1] = last;
      } else {
        last = span;
        merged.push(span);
      }
    }
  }
  return merged;
}
