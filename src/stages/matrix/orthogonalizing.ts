import type { Planned } from '../../gpu/pipelines.js';
import type { MatrixStage } from '../../rules/matrix.js';
import type { UpdateInput } from '../update/update-stage.js';
import type { Stage } from '../stage.js';
import { planOrthogonalStage } from './orthogonal-stage.js';

/** What the engine does with a {@link MatrixStage}. */
export interface Orthogonalizing extends MatrixStage {
  /** Plans the steps of a group's tensors, each with a shape of two or more axes. */
  readonly planStage: (input: UpdateInput) => Planned<Stage>;
}

/** The steps of rules of matrices. They bring it along: the engine does not import it. */
export const orthogonalizing: Orthogonalizing = { planStage: planOrthogonalStage };
