/** Gives tests in Node what a browser's page has: `navigator.gpu`, by the package `webgpu`, and the classes of WebGPU. */
import { inject } from 'vitest';
import { pollGently } from '../../scripts/poll-gently.js';
import { showOnlySwiftShader } from '../../scripts/swiftshader.js';

// Once for the process: files share it as they share a page.
if (!('GPUDevice' in globalThis)) {
  if (inject('adapter') === 'software') showOnlySwiftShader();
  // Its driver is chosen by the environment at the time of loading.
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // Node 20 has no `navigator`.
  const page = 'navigator' in globalThis ? globalThis.navigator : {};
  Object.defineProperty(page, 'gpu', { value: create([]) });
  Object.defineProperty(globalThis, 'navigator', { value: page, configurable: true });
  pollGently();
}
