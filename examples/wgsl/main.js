import { Optimizer, ParameterArena, adam, schedules } from 'webgpu-optim';
import code from './network.wgsl?raw';

const HIDDEN = 32;
const SAMPLES = 256;
const STEPS = 500;

const log = (text) => document.querySelector('#log').append(`${text}\n`);

const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) {
  log('No WebGPU here: use a recent Chrome, Edge or Firefox.');
  throw new Error('No WebGPU.');
}
const device = await adapter.requestDevice();
const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
const makeBuffer = (size, usage) => device.createBuffer({ size, usage });

// What is to be learned: a sine.
const samples = makeBuffer(8 * SAMPLES, STORAGE | COPY_DST);
const points = Array.from({ length: SAMPLES }, (_, k) => (2 * k) / (SAMPLES - 1) - 1);
device.queue.writeBuffer(samples, 0, Float32Array.from(points.flatMap((x) => [x, Math.sin(4 * x)])));
const errors = makeBuffer(4 * SAMPLES, STORAGE);
const loss = makeBuffer(4, STORAGE | COPY_SRC);
const lossCopy = makeBuffer(4, COPY_DST | MAP_READ);

// The arena has the weights, their initial values, and room for the gradients.
const arena = await ParameterArena.create(
  device,
  { units: { shape: [HIDDEN, 3], init: 'normal' }, bias: { shape: [1] } },
  { seed: 1 },
);
const optimizer = await Optimizer.create(device, {
  rule: adam({ lr: schedules.cosine({ lr: 0.03, tMax: STEPS }) }),
  params: arena.params,
});

const module = device.createShaderModule({ code });
const layout = device.createBindGroupLayout({
  entries: [
    'read-only-storage',
    'read-only-storage',
    'read-only-storage',
    'storage',
    'storage',
    'storage',
    'storage',
  ].map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
});
const pipelineOf = (entryPoint) =>
  device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint, constants: { HIDDEN } },
  });
const [forward, backward] = await Promise.all([pipelineOf('forward'), pipelineOf('backward')]);
const resources = [
  { buffer: samples },
  arena.view('units'),
  arena.view('bias'),
  { buffer: errors },
  arena.gradView('units'),
  arena.gradView('bias'),
  { buffer: loss },
];
const bindGroup = device.createBindGroup({
  layout,
  entries: resources.map((resource, binding) => ({ binding, resource })),
});

for (let step = 0; step <= STEPS; step++) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setBindGroup(0, bindGroup);
  pass.setPipeline(forward);
  pass.dispatchWorkgroups(Math.ceil(SAMPLES / 64));
  pass.setPipeline(backward);
  pass.dispatchWorkgroups(Math.ceil((HIDDEN + 1) / 64));
  pass.end();
  optimizer.encode(encoder); // behind the gradients, in the same submit
  encoder.copyBufferToBuffer(loss, 0, lossCopy, 0, 4);
  device.queue.submit([encoder.finish()]);
  if (step % 50 === 0) log(`step ${step}: loss ${(await readLoss()).toFixed(5)}`);
}
log('Done.');

async function readLoss() {
  await lossCopy.mapAsync(GPUMapMode.READ);
  const [value] = new Float32Array(lossCopy.getMappedRange());
  lossCopy.unmap();
  return value;
}
