import { type MatrixArray, arrayAfter, sidesOf } from '../../plan/matrix/products.js';
import { type MatrixSize, matrixSize } from '../../rules/declaring/matrix-size.js';
import { Iteration, iterationSources } from './iteration.js';
import { type MatrixStepping, type MatrixWork, planMatrixStage } from './matrix-stage.js';

const work: MatrixWork<MatrixSize, MatrixArray> = {
  sizeOf: matrixSize,
  lengthsOf: (batch) => {
    const [short] = sidesOf(batch);
    return { x0: batch.step, x1: batch.step, gram: short * short, polynomial: short * short };
  },
  resultOf: ({ layout }) => arrayAfter(layout.matrix!.triples.length),
  plan: (input, arrays) => {
    const whole = { ...input, iteration: input.layout.matrix! };
    return { sources: iterationSources(whole, arrays.x0), make: () => new Iteration(whole, arrays) };
  },
};

/** The steps of rules that make matrices orthogonal. They bring it along: the engine does not import it. */
export const orthogonalizing: MatrixStepping = { planStage: (input) => planMatrixStage(input, work) };
