/** Steps in one submit at most: a thousand dispatches of each must fit into memory. */
export const MAX_STEPS_PER_SUBMIT = 256;

/**
 * Milliseconds of the GPU's own clock for some steps. What they submit is held back and goes to the queue as one submit
 * between two timestamps, so neither the host's time for a submit nor the wait for its end is in it. Steps must submit to
 * the device's queue; their writes to buffers come before all of them, so their numbers mean nothing, and their time is
 * the same.
 *
 * Chrome rounds timestamps to 0.1 ms; Dawn in Node is asked not to.
 *
 * @param steps at most {@link MAX_STEPS_PER_SUBMIT}.
 * @returns undefined without the feature `timestamp-query`, or if nothing was submitted to this device.
 */
export async function measureOnGpu(
  device: GPUDevice,
  step: () => void,
  steps: number,
): Promise<number | undefined> {
  if (!device.features.has('timestamp-query')) return undefined;
  const held = holdSubmits(device.queue, () => {
    for (let k = 0; k < steps; k += 1) step();
  });
  if (held.length === 0) return undefined;
  const label = 'bench gpu clock';
  const querySet = device.createQuerySet({ label, type: 'timestamp', count: 2 });
  const { COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE } = GPUBufferUsage;
  const resolved = device.createBuffer({ label, size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ label, size: 16, usage: COPY_DST | MAP_READ });
  const mark = (index: number): GPUCommandEncoder => {
    const encoder = device.createCommandEncoder({ label });
    // An end waits for all that came before; a beginning need not.
    encoder.beginComputePass({ label, timestampWrites: { querySet, endOfPassWriteIndex: index } }).end();
    return encoder;
  };
  const last = mark(1);
  last.resolveQuerySet(querySet, 0, 2, resolved, 0);
  last.copyBufferToBuffer(resolved, 0, staging, 0, 16);
  device.queue.submit([mark(0).finish(), ...held, last.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const [start, end] = new BigUint64Array(staging.getMappedRange()) as unknown as [bigint, bigint];
  const ms = Number(end - start) / 1e6;
  for (const resource of [staging, resolved, querySet]) resource.destroy();
  return ms;
}

/** The command buffers that `action` would have submitted to the queue. Other queues get theirs. */
function holdSubmits(queue: GPUQueue, action: () => void): GPUCommandBuffer[] {
  const held: GPUCommandBuffer[] = [];
  const { prototype } = GPUQueue;
  const submit = Object.getOwnPropertyDescriptor(prototype, 'submit')!;
  prototype.submit = function hold(this: GPUQueue, commandBuffers) {
    if (this === queue) held.push(...commandBuffers);
    else (submit.value as GPUQueue['submit']).call(this, commandBuffers);
    return undefined;
  };
  try {
    action();
  } finally {
    Object.defineProperty(prototype, 'submit', submit);
  }
  return held;
}
