import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const folder = fileURLToPath(new URL('.', import.meta.url));

/**
 * `npm run bench:build`: the benchmark's command line and `bench/gpu`, with everything that they need but the packages
 * below, in bench/dist. Shaders are modules of the bundler, so Node cannot run the sources as they are.
 */
export default defineConfig({
  root: folder,
  ssr: {
    noExternal: true,
    // A binary, and what only drives a browser: loaded when it is wanted.
    external: ['webgpu', 'vite', 'puppeteer'],
  },
  build: {
    ssr: true,
    target: 'node20',
    outDir: 'dist',
    emptyOutDir: true,
    minify: false,
    rolldownOptions: {
      input: { bench: `${folder}run.ts`, gpu: `${folder}gpu/run.ts` },
      // Flat, so that a path relative to a file of bench/session is right here, too.
      output: { entryFileNames: '[name].js', chunkFileNames: '[name].js' },
    },
  },
});
