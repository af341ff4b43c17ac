import { createRequire } from 'node:module';
import { create, globals } from 'webgpu';
import type { BenchPage } from '../../lab/measuring/protocol.js';
import { createBenchPage } from '../../lab/measuring/page/bench-page.js';
import { portablePeers } from './portable-peers.js';

let gpu: GPU | undefined;

/**
 * Dawn in this Node process, as `navigator.gpu`. One for the process: WebGPU's classes become globals, as in a browser.
 * Timestamps are not rounded, as they are in browsers for fear of spies.
 */
export function nodeGpu(): GPU {
  if (gpu) return gpu;
  Object.assign(globalThis, globals);
  gpu = create(['disable-dawn-features=timestamp_quantization']);
  return gpu;
}

/** What runs the page: Node and its WebGPU with their versions, for results. */
export function describeNode(): string {
  const { version } = createRequire(import.meta.url)('webgpu/package.json') as { version: string };
  const node = /^\d+\.\d+/.exec(process.versions.node)?.[0];
  return `Node ${node}, Dawn (webgpu ${version})`;
}

/** The page in this Node process, on Dawn. */
export function openNodePage(): BenchPage {
  return createBenchPage({ gpu: nodeGpu(), browser: describeNode(), peers: portablePeers });
}
