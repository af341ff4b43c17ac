import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const repository = fileURLToPath(new URL('..', import.meta.url));

/**
 * The package's command `webgpu-optim-onnx`, in dist/onnx with all that it needs: the package has no dependencies. Licences of
 * what is bundled are beside it.
 */
export default defineConfig({
  root: repository,
  ssr: { noExternal: true },
  build: {
    ssr: 'onnx/command.ts',
    outDir: 'dist/onnx',
    target: 'node20',
    minify: false,
    license: { fileName: 'licenses.md' },
    rolldownOptions: { output: { entryFileNames: 'command.js' } },
  },
});
