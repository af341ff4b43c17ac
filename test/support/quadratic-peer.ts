import type { Track } from '../../proof/track.js';
import { Optimizer, type Rule } from '../../src/index.js';
import type { SimulatedPeer } from '../../src/outer/index.js';
import { makeBuffer } from './tensors.js';

const SHADER = /* wgsl */ `
  @group(0) @binding(0) var<storage, read> weights: array<f32>;
  @group(0) @binding(1) var<storage, read> targets: array<f32>;
  @group(0) @binding(2) var<storage, read_write> grads: array<f32>;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&grads)) {
      grads[id.x] = weights[id.x] - targets[id.x];
    }
  }`;

/** A peer that draws its weights to targets: the loss is half the sum of squared distances, the gradient is made on the GPU. */
export async function quadraticPeer(
  device: GPUDevice,
  track: Track,
  { weights, targets, common = targets, rule }: QuadraticOptions,
): Promise<SimulatedPeer & { readonly optimizer: Optimizer; readonly isDestroyed: boolean }> {
  const data = makeBuffer(device, track, weights);
  const grad = makeBuffer(device, track, new Float32Array(weights.length));
  const module = device.createShaderModule({ label: 'quadratic', code: SHADER });
  const pipeline = device.createComputePipeline({ label: 'quadratic', layout: 'auto', compute: { module } });
  const buffers = [data, makeBuffer(device, track, targets), grad];
  const bindGroup = device.createBindGroup({
    label: 'quadratic',
    layout: pipeline.getBindGroupLayout(0),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const optimizer = await Optimizer.create(device, { rule, params: [{ name: 'w', data, grad }] });
  let isDestroyed = false;
  return {
    optimizer,
    get isDestroyed() {
      return isDestroyed;
    },
    step() {
      const encoder = device.createCommandEncoder({ label: 'quadratic' });
      const pass = encoder.beginComputePass({ label: 'quadratic' });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(Math.ceil(weights.length / 64));
      pass.end();
      device.queue.submit([encoder.finish()]);
      optimizer.step();
    },
    async loss() {
      const values = await optimizer.readParam('w');
      return values.reduce((sum, value, k) => sum + (value - common[k]!) ** 2 / 2, 0);
    },
    destroy() {
      isDestroyed = true;
      optimizer.destroy();
    },
  };
}

interface QuadraticOptions {
  readonly weights: ArrayLike<number>;
  readonly targets: ArrayLike<number>;
  /** What the loss is measured by; the targets unless said. */
  readonly common?: ArrayLike<number>;
  readonly rule: Rule;
}
