import { createRequire } from 'node:module';
import { create, globals } from 'webgpu';
import type { BenchPage } from '../protocol.js';
import { createBenchPage } from './bench-page.js';
import { portablePeers } from './portable-peers.js';

/** The page in this Node process, on Dawn. Once per process: WebGPU's classes become globals, as in a browser. */
export function openNodePage(): BenchPage {
  Object.assign(globalThis, globals);
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  const node = /^\d+\.\d+/.exec(process.versions.node)?.[0];
  return createBenchPage({
    gpu: create([]),
    browser: `Node ${node}, Dawn (webgpu ${version})`,
    peers: portablePeers,
  });
}
