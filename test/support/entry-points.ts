/** What the entry points of the package are in `src/`: examples import the source. */
export const ENTRY_POINTS: Readonly<Record<string, string>> = {
  'webgpu-optim': 'index.ts',
  'webgpu-optim/jax': 'adapters/jax/index.ts',
  'webgpu-optim/nats': 'nats/index.ts',
  'webgpu-optim/onnxruntime': 'adapters/onnxruntime/index.ts',
  'webgpu-optim/outer': 'outer/index.ts',
  'webgpu-optim/safetensors': 'safetensors/index.ts',
  'webgpu-optim/tfjs': 'adapters/tfjs/index.ts',
};
