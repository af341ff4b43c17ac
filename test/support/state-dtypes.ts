/** How state may be kept in fewer bits, for tests of it. */
import type { StateDtype } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';

export const ROUNDED = ['bf16', 'int8', 'int4'] as const;
/** Elements that lie together: rows that are stepped one by one are multiples of it. */
export const BLOCK = { bf16: 2, int8: 64, int4: 64 };

/** Elsewhere codes may be others, where a number is in the middle between two. */
export const isExact = (device: GPUDevice, dtype: StateDtype): boolean =>
  dtype === 'bf16' || isSwiftShader(device);
