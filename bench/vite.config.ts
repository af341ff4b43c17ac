import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/**
 * `npm run bench:build`: the benchmark's command line with everything that it needs but the packages below, in
 * bench/dist. Shaders are modules of the bundler, so Node cannot run the sources as they are.
 */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  ssr: {
    noExternal: true,
    // A binary, and what only drives a browser: loaded when it is wanted.
    external: ['webgpu', 'vite', 'puppeteer-core', '@puppeteer/browsers'],
  },
  build: {
    ssr: 'run.ts',
    target: 'node20',
    outDir: 'dist',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: {
      // Flat, so that a path relative to a file of bench/session is right here, too.
      output: { entryFileNames: 'bench.js', chunkFileNames: '[name].js' },
    },
  },
});
