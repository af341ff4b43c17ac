import { OptimizerError, quote } from '../../errors.js';
import { alignUp } from '../../kernel/alignment.js';
import { type MatrixSize, matrixSize } from '../../rules/matrix.js';
import { groupBy } from '../join.js';
import { ELEMENT_BYTE_LENGTH, type PlanLimits, type PlanTensor } from '../pieces.js';

/** Matrices of one shape and row, which are made orthogonal together. */
export interface MatrixBatch<B> extends MatrixSize {
  readonly row: number;
  readonly tensors: readonly PlanTensor<B>[];
  /** Elements from one matrix to the next where they lie one behind the other. */
  readonly step: number;
  /** The shorter side, and the longer one. */
  readonly short: number;
  readonly long: number;
}

/** Elements of a batch, unless one matrix has more: enough to keep a GPU busy; memory for more would be of no use. */
const MOST_ELEMENTS = 2 ** 24;

/** Each matrix begins at a multiple of so many elements: bytes at which every device lets a binding begin. */
const MATRIX_ALIGNMENT = 64;

/**
 * Shares out tensors among batches.
 *
 * @param tensors each with a shape of two or more axes.
 * @throws OptimizerError `limit-exceeded` for a matrix that no binding holds.
 */
export function planMatrixBatches<B>(
  tensors: readonly PlanTensor<B>[],
  { maxStorageBufferBindingSize, maxBufferSize }: PlanLimits,
  nameOf: (tensor: number) => string,
): MatrixBatch<B>[] {
  const most = Math.min(maxStorageBufferBindingSize, maxBufferSize) / ELEMENT_BYTE_LENGTH;
  const alike = groupBy(tensors, ({ row, shape }) => {
    const { rows, columns } = matrixSize(shape!);
    return `${row} ${rows} ${columns}`;
  });
  return alike.flatMap((list) => {
    const { index, row, shape } = list[0]!;
    const size = matrixSize(shape!);
    const step = alignUp(size.rows * size.columns, MATRIX_ALIGNMENT);
    if (step > most) throw tooLarge(nameOf(index), size, step, most);
    const perBatch = Math.max(1, Math.floor(Math.min(most, MOST_ELEMENTS) / step));
    const [short, long] = [size.rows, size.columns].toSorted((a, b) => a - b) as [number, number];
    return Array.from({ length: Math.ceil(list.length / perBatch) }, (_, k) => ({
      ...size,
      row,
      tensors: list.slice(k * perBatch, (k + 1) * perBatch),
      step,
      short,
      long,
    }));
  });
}

function tooLarge(name: string, { rows, columns }: MatrixSize, step: number, most: number): OptimizerError {
  return new OptimizerError(
    'limit-exceeded',
    `parameter ${quote(name)} is a matrix of ${rows} × ${columns} elements, which is made orthogonal as a whole, in ` +
      `${ELEMENT_BYTE_LENGTH * step} bytes, but the device binds ${ELEMENT_BYTE_LENGTH * most} at once; request it with larger ` +
      'requiredLimits.maxStorageBufferBindingSize and maxBufferSize.',
  );
}
