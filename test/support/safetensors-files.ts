/** Small files that several tests take. */
import { type WritableTensor, writeSafetensors } from '../../src/safetensors/index.js';

export const tensors: readonly WritableTensor[] = [
  { name: 'bytes', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
  { name: 'w', dtype: 'F32', shape: [1, 2], data: Float32Array.of(0.5, -2) },
];
export const metadata = { made: 'here' };

/** One of several dtypes, with an empty tensor. */
export const file = await writeSafetensors(
  'bytes',
  [
    { name: 'a', dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'b', dtype: 'I8', shape: [0], data: new Uint8Array() },
    { name: 'c', dtype: 'U8', shape: [1001], data: Uint8Array.from({ length: 1001 }, (_, k) => k % 256) },
    { name: 'last', dtype: 'BOOL', shape: [], data: Uint8Array.of(1) },
  ],
  { made: 'here' },
);
