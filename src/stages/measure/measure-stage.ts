import type { Planned } from '../../gpu/pipelines.js';
import type { Stage } from '../stage.js';
export function planMeasureStage(_: object): Planned<Stage> { throw new Error('stub'); }
