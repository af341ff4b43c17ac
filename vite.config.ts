import { defineConfig } from 'vite';
import { wgslPlugin } from './scripts/wgsl-plugin.js';

export default defineConfig({
  plugins: [wgslPlugin()],
  build: {
    lib: {
      entry: {
        index: 'src/index.ts',
        'adapters/jax/index': 'src/adapters/jax/index.ts',
        'adapters/onnxruntime/index': 'src/adapters/onnxruntime/index.ts',
        'adapters/tfjs/index': 'src/adapters/tfjs/index.ts',
        'outer/index': 'src/outer/index.ts',
        'nats/index': 'src/nats/index.ts',
        'safetensors/index': 'src/safetensors/index.ts',
      },
      formats: ['es'],
      fileName: (_, name) => `${name}.js`,
    },
    rolldownOptions: {
      external: ['@jax-js/jax', /^@nats-io\//, /^@tensorflow\//, /^onnxruntime-web/],
      // A file per module: adapters and core share theirs, so that errors and rules are of one kind, and a bundler
      // leaves out what is not imported, since package.json says that files have no effects of their own.
      output: { preserveModules: true, preserveModulesRoot: 'src' },
    },
    target: 'es2022',
    sourcemap: true,
    minify: false,
  },
});
