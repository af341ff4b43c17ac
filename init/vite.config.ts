import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { commandConfig } from '../scripts/package/command-config.js';

/** The package's command `webgpu-optim`, in dist/init. */
export default defineConfig(commandConfig(fileURLToPath(new URL('..', import.meta.url)), 'init'));
