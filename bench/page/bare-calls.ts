import type { Optimizer } from '../../src/index.js';

/** What a step has the pass do. */
export interface BareDispatch {
  /** Another one than for the dispatch before. */
  readonly pipeline: GPUComputePipeline | undefined;
  /** Of group 1: its bind group, and where its row begins; if it changes. */
  readonly page: readonly [GPUBindGroup, Uint32Array] | undefined;
  readonly bindGroup: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** The dispatches of a step, taken down by what stands in for a pass. The step counts, and is not made. */
export function callsOf(optimizer: Pick<Optimizer, 'encode'>): BareDispatch[] {
  const dispatches: BareDispatch[] = [];
  let pipeline: GPUComputePipeline | undefined;
  let page: BareDispatch['page'];
  let bindGroup: GPUBindGroup;
  const pass = {
    setPipeline: (given: GPUComputePipeline) => void (pipeline = given),
    setBindGroup: (index: number, given: GPUBindGroup, offsets?: Uint32Array) => {
      if (index === 0) bindGroup = given;
      else page = [given, offsets!.slice()];
    },
    dispatchWorkgroups: (x: number, y = 1) => {
      dispatches.push({ pipeline, page, bindGroup, x, y });
      pipeline = page = undefined;
    },
    dispatchWorkgroupsIndirect: () => undefined,
    end: () => undefined,
  };
  optimizer.encode(pass as unknown as GPUComputePassEncoder);
  return dispatches;
}

/** Encodes what WebGPU is asked for by a step, with nothing of ours around it. */
export function encodeBare(device: GPUDevice, dispatches: readonly BareDispatch[]): GPUCommandEncoder {
  const encoder = device.createCommandEncoder({ label: 'bench bare' });
  const pass = encoder.beginComputePass({ label: 'bench bare' });
  for (const { pipeline, page, bindGroup, x, y } of dispatches) {
    if (pipeline) pass.setPipeline(pipeline);
    if (page) pass.setBindGroup(1, page[0], page[1], 0, 1);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y);
  }
  pass.end();
  return encoder;
}
