/** Slips for `npm run mutants`; those of the rules' WGSL are made by test/gpu/mutation.test.ts. */
import { adapterSlips } from './adapters.js';
import { arenaSlips } from './arena.js';
import { referenceSlips } from './reference.js';
import { scheduleSlips } from './schedules.js';
import { shaderSlips } from './shaders.js';
import type { Slip } from './slip.js';

export const slips: readonly Slip[] = [
  ...scheduleSlips,
  ...arenaSlips,
  ...referenceSlips,
  ...shaderSlips,
  ...adapterSlips,
];
