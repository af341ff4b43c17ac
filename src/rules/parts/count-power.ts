import wgsl from '../../../shaders/rules/parts/count-power.wgsl?raw';
import { declarePart } from '../declaring/part.js';

/** A power of the count of steps, for a rule that calls `power_of_count`; its twin is `Arithmetic.powerOfCount`. */
export const countPower = declarePart({ wgsl });
