/** What programs of the playground import as `'webgpu-optim'`: a file of the built site under a name of its own. */
export * from '../../src/index.js';
