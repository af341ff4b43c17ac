import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { commandConfig } from '../scripts/package/command-config.js';

/** The package's command `webgpu-optim-onnx`, in dist/onnx. */
export default defineConfig(commandConfig(fileURLToPath(new URL('..', import.meta.url)), 'onnx'));
