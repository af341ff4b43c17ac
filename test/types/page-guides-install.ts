/** The TypeScript of docs/guides/install.md: `npm run docs` copies it, `npm run typecheck` is the test. */
import { bufferUsage } from '../../src/index.js';

export const usage = bufferUsage.STORAGE | bufferUsage.COPY_SRC | bufferUsage.COPY_DST;
