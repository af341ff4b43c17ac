import type { Suite } from '../suite.js';
import { calls } from './calls.js';
import { dtypes } from './dtypes.js';
import { firstStep } from './first-step.js';
import { jax } from './jax.js';
import { matrix } from './matrix.js';
import { onnxruntime } from './onnxruntime.js';
import { rows } from './rows.js';
import { shapes } from './shapes.js';
import { sparse } from './sparse.js';
import { tfjs } from './tfjs.js';

/** Every suite but `steps`, whose peers take more to describe; the page's side of each has the same name in bench/page/suites. */
export const suites = {
  calls,
  dtypes,
  'first-step': firstStep,
  matrix,
  rows,
  shapes,
  sparse,
  tfjs,
  jax,
  onnxruntime,
} satisfies Record<string, Suite<unknown, never>>;
