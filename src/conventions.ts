import { flax } from './conventions/flax.js';
import { keras } from './conventions/keras.js';
import { kellerjordan } from './conventions/kellerjordan.js';
import { mlx } from './conventions/mlx.js';
import { moonlight } from './conventions/moonlight.js';
import { optax } from './conventions/optax.js';
import { sonnet } from './conventions/sonnet.js';
import { tensorflow } from './conventions/tensorflow.js';
import { tfjs } from './conventions/tfjs.js';
import { torch } from './conventions/torch.js';
import { transformers } from './conventions/transformers.js';

/**
 * The optimizers of other libraries as options of our rules, frozen: their defaults and the switches that give their
 * formula. An entry leaves out what the library asks its user for, mostly `lr`; then the rule's own default holds.
 * docs/conventions.md has all of them side by side, with sources.
 *
 * @example rmsprop({ ...conventions.keras.rmsprop, lr: 1e-3 })
 */
export const conventions = Object.freeze({
  torch,
  keras,
  tensorflow,
  tfjs,
  optax,
  mlx,
  flax,
  sonnet,
  kellerjordan,
  moonlight,
  transformers,
});

/** The name of a library that `conventions` knows. */
export type LibraryName = keyof typeof conventions;
