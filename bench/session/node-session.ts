import type { AdapterChoice } from '../../scripts/browsers.js';
import type { BenchPage } from '../../lab/measuring/protocol.js';
import type { Session } from './session.js';

/**
 * The benchmark's page code in this process, on Dawn from the npm package `webgpu`, so that a GPU can be measured
 * where there is no browser.
 *
 * CPU time is that of this process: kernels of a software adapter, and this thread, which Dawn's binding for Node
 * lets poll while it waits.
 *
 * @param adapter `software`: SwiftShader from an installed Chromium, on Linux; `default`: what Vulkan, Metal or D3D12
 *   offer in the environment as it is.
 * @throws Error if no SwiftShader is found, or `webgpu` is not installed.
 */
export async function openNodeSession(adapter: AdapterChoice): Promise<Session<BenchPage>> {
  if (adapter === 'software') (await import('../../scripts/swiftshader.js')).showOnlySwiftShader();
  // Loaded when wanted: a machine that runs the benchmark in a browser may lack Dawn's binary, and the driver is
  // chosen by the environment at the time of loading.
  const { openNodePage } = await import('../page/node.js');
  const page = openNodePage();
  return {
    call: (method, ...args) => (page[method] as (...given: unknown[]) => Promise<never>)(...args),
    gpuProcessCpuMs: () => {
      const { user, system } = process.cpuUsage();
      return Promise.resolve((user + system) / 1000);
    },
    close: () => Promise.resolve(),
  };
}
