import { OptimizerError } from '../../errors.js';
import { type FactoredSize, factoredSize } from '../../rules/declaring/matrix-size.js';
import { type Measuring, measuring } from '../measure/measuring.js';
import {
  type MatrixInput,
  type MatrixStepping,
  type MatrixWork,
  planMatrixStage,
} from '../matrix/matrix-stage.js';
import { FactorPass, factorSources, partialLengths } from './factor-pass.js';
import { FactorRecords, factorWords } from './factor-records.js';

const work: MatrixWork<FactoredSize, 'partials'> = {
  sizeOf: factoredSize,
  lengthsOf: (batch) => {
    const { blocks, means } = partialLengths(batch);
    return { x0: batch.step, partials: blocks + means };
  },
  resultOf: () => 'x0',
  plan: (input, arrays) => ({
    sources: factorSources(input),
    make: () => new FactorPass(input, arrays),
  }),
  planMeasuring: measuring.planStage,
};

/** The steps of rules that keep second moments of matrices by rows and columns. They bring it along: the engine does not import it. */
export const factoring: MatrixStepping = {
  planStage: (input) => {
    rejectTooManyFactors(input);
    return planMatrixStage(input, work);
  },
};

/** What such rules measure whole tensors with: the numbers of rows and columns are kept beside the records. */
export const measuringFactored: Measuring = {
  ...measuring,
  makeRecords: (...given) => new FactorRecords(...given),
};

/** @throws OptimizerError `limit-exceeded` unless the numbers of all rows and columns fit a binding. */
function rejectTooManyFactors({ tensors, facts: { limits }, layout }: MatrixInput): void {
  const byteLength = 4 * factorWords(tensors);
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  if (byteLength <= most) return;
  throw new OptimizerError(
    'limit-exceeded',
    `${layout.rule.name} keeps ${byteLength} bytes of rows and columns of a group's matrices, but the device binds ${most} at once; request ` +
      'it with larger requiredLimits.maxStorageBufferBindingSize and maxBufferSize, or use more groups.',
  );
}
