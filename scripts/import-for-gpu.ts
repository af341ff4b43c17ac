import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import { pollGently } from './poll-gently.js';
import { showOnlySwiftShader } from './swiftshader.js';

/**
 * Loads a module that uses WebGPU, and shaders as modules, into this process, on Dawn and SwiftShader, whose bits the model has. What loads
 * it stays open for what the module imports later; the process is to be ended by `process.exit`.
 *
 * @param path from the root of the repository.
 */
export async function importForGpu(path: string): Promise<{ module: unknown; gpu: GPU }> {
  showOnlySwiftShader();
  // The driver is chosen by the environment at the time of loading.
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  pollGently();
  const server = await createServer({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('..', import.meta.url)),
    appType: 'custom',
    optimizeDeps: { noDiscovery: true },
    // Its modules are those of a bundler: Node would not find their neighbours.
    ssr: { noExternal: [/^@tensorflow\//] },
    server: { middlewareMode: true, watch: null, hmr: false, ws: false },
  });
  return { module: await server.ssrLoadModule(`/${path}`), gpu: create([]) };
}
