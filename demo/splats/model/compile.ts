import { compilerFor } from '../../shared/kernels.js';

/** Compiles kernels of this page. */
export const compile = compilerFor('splats');
