import { expect, inject } from 'vitest';
import { isSwiftShader } from '../../proof/adapter.js';
import { getTestAdapter, getTestDevice, gpuTest, withErrorScopes } from '../support/device.js';
import { isFirefox } from '../support/runtime.js';

const SHADER = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> data: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  data[id.x] = data[id.x] * data[id.x] + 0.5;
}`;

gpuTest('the browser computes on the GPU', async ({ device, track }) => {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const data = track(device.createBuffer({ size: 16, usage }));
  const readback = track(
    device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
  );
  device.queue.writeBuffer(data, 0, new Float32Array([1, -2, 3, 0.5]));

  const module = device.createShaderModule({ code: SHADER });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: data } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(data, 0, readback, 0, 16);
  device.queue.submit([encoder.finish()]);

  await readback.mapAsync(GPUMapMode.READ);
  expect([...new Float32Array(readback.getMappedRange())]).toEqual([1.5, 4.5, 9.5, 0.75]);
});

gpuTest('the adapter is the one asked for', async ({ device }) => {
  const { vendor, architecture, description, isFallbackAdapter } = device.adapterInfo;
  const { limits, features } = await getTestAdapter();
  console.log(
    `${inject('runtime')}: vendor "${vendor}", architecture "${architecture}", description "${description}", ` +
      `fallback ${isFallbackAdapter}, binding ${limits.maxStorageBufferBindingSize}, ` +
      `buffer ${limits.maxBufferSize}, storage buffers ${limits.maxStorageBuffersPerShaderStage}\n` +
      `features ${[...features].toSorted().join(' ')}`,
  );
  if (inject('adapter') === 'software') {
    expect(isSwiftShader(device)).toBe(!isFirefox);
  }
});

gpuTest('a device can have all the limits of its adapter', async () => {
  const [adapter, device] = await Promise.all([getTestAdapter(), getTestDevice({ limits: 'adapter' })]);
  expect(device.limits.maxBufferSize).toBe(adapter.limits.maxBufferSize);
  expect(device.limits.maxStorageBufferBindingSize).toBe(adapter.limits.maxStorageBufferBindingSize);
});

gpuTest('an error of the device does not go unnoticed', async ({ device }) => {
  const invalid = (): GPUBuffer => device.createBuffer({ size: 16, usage: 0 });
  await expect(withErrorScopes(device, invalid)).rejects.toThrow(/GPUValidationError/u);
  const broken = new Error('thrown by the test itself');
  await expect(withErrorScopes(device, () => Promise.reject(broken))).rejects.toBe(broken);
});
