import { OptimizerError, quote } from '../../errors.js';
import { alignUp } from '../../kernel/alignment.js';
import type { MatrixSize } from '../../rules/declaring/matrix-size.js';
import { groupBy } from '../join.js';
import { ELEMENT_BYTE_LENGTH, type PlanLimits, type PlanTensor } from '../pieces.js';

/** Matrices of one shape and row, which are worked on together. */
export type MatrixBatch<B, S extends MatrixSize = MatrixSize> = S & {
  readonly row: number;
  readonly tensors: readonly PlanTensor<B>[];
  /** Elements from one matrix to the next where they lie one behind the other. */
  readonly step: number;
};

/** What each tensor of a batch takes: its size as matrices, and elements from one tensor to the next. */
type MatrixPlace<S extends MatrixSize> = S & Pick<MatrixBatch<unknown>, 'step'>;

/** Elements of an array of a batch, unless one matrix takes more: enough to keep a GPU busy; memory for more would be of no use. */
const MOST_ELEMENTS = 2 ** 24;

/** Each matrix begins at a multiple of so many elements: bytes at which every device lets a binding begin. */
const MATRIX_ALIGNMENT = 64;

/**
 * Shares out tensors among batches.
 *
 * @param tensors each with a shape of two or more axes.
 * @param sizeOf the matrix that a shape is.
 * @param lengthsOf elements of the arrays that a batch is worked on in, for one tensor.
 * @throws OptimizerError `limit-exceeded` for a matrix that no binding holds.
 */
export function planMatrixBatches<B, S extends MatrixSize>(
  tensors: readonly PlanTensor<B>[],
  { maxStorageBufferBindingSize, maxBufferSize }: PlanLimits,
  nameOf: (tensor: number) => string,
  sizeOf: (shape: readonly number[]) => S,
  lengthsOf: (place: MatrixPlace<S>) => Readonly<Record<string, number>>,
): MatrixBatch<B, S>[] {
  const most = Math.min(maxStorageBufferBindingSize, maxBufferSize) / ELEMENT_BYTE_LENGTH;
  const alike = groupBy(tensors, ({ row, shape }) => {
    return [row, ...Object.values(sizeOf(shape!))].join(' ');
  });
  return alike.flatMap((list) => {
    const { index, row, shape } = list[0]!;
    const size = sizeOf(shape!);
    const step = alignUp(size.rows * size.columns, MATRIX_ALIGNMENT);
    const length = Math.max(...Object.values(lengthsOf({ ...size, step })));
    if (length > most) throw tooLarge(nameOf(index), size, length, most);
    const perBatch = Math.max(1, Math.floor(Math.min(most, MOST_ELEMENTS) / length));
    return Array.from({ length: Math.ceil(list.length / perBatch) }, (_, k) => ({
      ...size,
      row,
      tensors: list.slice(k * perBatch, (k + 1) * perBatch),
      step,
    }));
  });
}

function tooLarge(name: string, { rows, columns }: MatrixSize, length: number, most: number): OptimizerError {
  return new OptimizerError(
    'limit-exceeded',
    `parameter ${quote(name)} is a matrix of ${rows} × ${columns} elements, which is worked on as a whole, in ` +
      `${ELEMENT_BYTE_LENGTH * length} bytes, but the device binds ${ELEMENT_BYTE_LENGTH * most} at once; request it with larger ` +
      'requiredLimits.maxStorageBufferBindingSize and maxBufferSize.',
  );
}
