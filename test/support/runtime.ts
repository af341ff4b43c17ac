/** Where tests of the GPU run. */
import { inject } from 'vitest';

/** Whether this is Firefox, on llvmpipe, whose bits prove nothing. Chrome and Node run on SwiftShader. */
export const isFirefox: boolean = inject('runtime') === 'firefox';
