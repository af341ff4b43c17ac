import type { Planned } from '../../gpu/pipelines.js';
import type { TensorStage } from '../../rules/declaring/tensor.js';
import type { Stage } from '../stage.js';
import { type MeasureInput, planMeasureStage } from './measure-stage.js';
import { TensorRecords } from './tensor-records.js';

/** What the engine does with a {@link TensorStage}. */
export interface Measuring extends TensorStage {
  /** Plans the measuring of a group's tensors. */
  readonly planStage: (input: MeasureInput) => Planned<Stage>;
  /** Creates the records of a group's tensors; run it in error scopes. */
  readonly makeRecords: (...given: ConstructorParameters<typeof TensorRecords>) => TensorRecords;
}

/** The measuring of tensors. Rules that need it bring it along: the engine does not import it. */
export const measuring: Measuring = {
  planStage: planMeasureStage,
  makeRecords: (...given) => new TensorRecords(...given),
};
