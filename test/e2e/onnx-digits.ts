/** Digits for ONNX Runtime. */
import * as ort from 'onnxruntime-web/webgpu';
import { CLASS_COUNT, PIXEL_COUNT } from '../../lab/tasks/digit-format.js';
import type { DigitSet } from '../../lab/tasks/digits.js';

/** A batch of some of the digits. */
export function digitFeeds({ pixels, labels }: DigitSet, rows: Int32Array): Record<string, ort.Tensor> {
  const x = new Float32Array(rows.length * PIXEL_COUNT);
  const y = new Float32Array(rows.length * CLASS_COUNT);
  rows.forEach((row, k) => {
    for (let i = 0; i < PIXEL_COUNT; i++) x[k * PIXEL_COUNT + i] = pixels[row * PIXEL_COUNT + i]! / 255;
    y[k * CLASS_COUNT + labels[row]!] = 1;
  });
  return {
    x: new ort.Tensor('float32', x, [rows.length, PIXEL_COUNT]),
    labels: new ort.Tensor('float32', y, [rows.length, CLASS_COUNT]),
  };
}

/** The share of digits whose likeliest class is theirs. */
export async function accuracy(
  session: ort.InferenceSession,
  digits: DigitSet,
  weights: Readonly<Record<string, ort.Tensor>> = {},
): Promise<number> {
  const { x } = digitFeeds(
    digits,
    Int32Array.from({ length: digits.count }, (_, i) => i),
  );
  const { scores } = await session.run({ x: x!, ...weights });
  const values = (await scores!.getData()) as Float32Array;
  const isRight = (label: number, row: number): boolean => {
    const own = values.subarray(row * CLASS_COUNT, (row + 1) * CLASS_COUNT);
    return own.indexOf(Math.max(...own)) === label;
  };
  return [...digits.labels].filter(isRight).length / digits.count;
}
