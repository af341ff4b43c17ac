import { describeAdapter, describeBrowser, requestBenchDevice } from '../../../lab/measuring/page/device.js';
import { createRandom } from '../../../lab/random.js';
import lanesWgsl from '../../../shaders/lanes.wgsl?raw';
import { askLengthsFirst } from '../../../src/gpu/array-lengths.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { chooseGrid, chooseShape, shapeConstants } from '../../../src/kernel/shape.js';
import { Optimizer, type Rule, rules } from '../../../src/index.js';
import type { RowsRequest } from '../../suites/rows.js';
import { type SuiteContestant, suitePage } from '../suite-page.js';

const SEED = 1;
/** Rows that are doubled, and as many that are pruned. */
const CHANGED_SHARE = 0.1;

let device: GPUDevice;

async function prepare(request: RowsRequest): Promise<SuiteContestant> {
  const { rowCount, rowLengths, isElsewhere, isOnGpu } = request;
  const rule = rules[request.rule as 'adam']() as Rule;
  const lengths = rowLengths.map((rowLength) => rowCount * rowLength);
  const sets = Array.from({ length: isElsewhere ? 2 : 1 }, () => lengths.map((length) => makeBuffer(length)));
  if (request.does !== 'map') {
    const own = [sets[0]!, ...layoutOf(rule).slots.map(() => lengths.map((length) => makeBuffer(length)))];
    return copying(request.does, own, sets[1]!);
  }
  const params = lengths.map((_, k) => ({
    name: `w${k}`,
    data: sets[0]![k]!,
    grad: makeBuffer(lengths[k]!),
    rowLength: rowLengths[k]!,
  }));
  const optimizer = await Optimizer.create(device, { rule, params });
  optimizer.step();
  const names = params.map(({ name }) => name);
  const entries = drawMap(request);
  const from = isOnGpu ? makeBuffer(rowCount, entries) : entries;
  let turn = 0;
  return {
    step: () => {
      const next = isElsewhere ? sets[(turn ^= 1)]! : undefined;
      const data = next && Object.fromEntries(names.map((name, k) => [name, next[k]!]));
      return optimizer.mapRows(names, { from, rowCount, ...(data && { data }) });
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      optimizer.destroy();
      const all = [...sets.flat(), ...params.map(({ grad }) => grad)];
      for (const buffer of from instanceof Uint32Array ? all : [...all, from]) buffer.destroy();
    },
  };
}

/** As many buffers as weights and state are, copied one after the other to the same others. */
function copying(
  by: Exclude<RowsRequest['does'], 'map'>,
  own: readonly (readonly GPUBuffer[])[],
  targets: readonly GPUBuffer[],
): SuiteContestant {
  const pairs = own.flatMap((buffers) => buffers.map((buffer, k) => [buffer, targets[k]!] as const));
  const kernels = by === 'copy kernel' ? pairs.map(([from, to]) => copyKernel(from, to)) : undefined;
  let fresh: GPUBuffer[] = [];
  return {
    step: () => {
      const left = fresh;
      if (by === 'copy to fresh buffers')
        fresh = own
          .slice(1)
          .flat()
          .map(({ size }) => makeBuffer(size / 4));
      const encoder = device.createCommandEncoder({ label: 'bench copy' });
      if (kernels) {
        const pass = encoder.beginComputePass({ label: 'bench copy' });
        for (const encode of kernels) encode(pass);
        pass.end();
      } else {
        const first = pairs.length - fresh.length;
        pairs.forEach(([from, to], k) =>
          encoder.copyBufferToBuffer(from, 0, fresh[k - first] ?? to, 0, from.size),
        );
      }
      device.queue.submit([encoder.finish()]);
      for (const buffer of left) buffer.destroy();
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      for (const buffer of [...own.flat(), ...targets, ...fresh]) buffer.destroy();
    },
  };
}

/** A kernel that does nothing but copy, a vec4 at a time, in the shape that the library chooses. */
function copyKernel(from: GPUBuffer, to: GPUBuffer): (pass: GPUComputePassEncoder) => void {
  const laneCount = Math.floor(from.size / 16);
  const shape = chooseShape(device.adapterInfo, laneCount);
  const code = `${lanesWgsl}
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn copy(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let lanes = own_lanes(linear_workgroup(workgroup_id, workgroup_count), local_index, arrayLength(&source));
  for (var i = lanes.first; i < lanes.end; i += lanes.stride) {
    copied[i] = source[i];
  }
}`;
  const label = 'bench copy';
  const module = device.createShaderModule({ label, code: askLengthsFirst(code, 'copy') });
  const pipeline = device.createComputePipeline({
    label,
    layout: 'auto',
    compute: { module, constants: shapeConstants(shape) },
  });
  const layout = pipeline.getBindGroupLayout(0);
  const entries = [from, to].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ label, layout, entries });
  const grid = chooseGrid(laneCount, shape, device.limits.maxComputeWorkgroupsPerDimension);
  return (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...grid);
  };
}

/** A row per row. */
function drawMap({ rowCount, order }: RowsRequest): Uint32Array<ArrayBuffer> {
  const uniform = createRandom(SEED);
  const map = Uint32Array.from({ length: rowCount }, (_, row) => row);
  if (order === 'densify') {
    const doubled = Math.floor(CHANGED_SHARE * rowCount);
    const kept = map.filter(() => uniform() >= CHANGED_SHARE).subarray(0, rowCount - doubled);
    map.set(kept);
    map.set(map.slice(0, rowCount - kept.length), kept.length);
    return map;
  }
  for (let k = rowCount - 1; k > 0; k -= 1) {
    const other = Math.floor(uniform() * (k + 1));
    [map[k], map[other]] = [map[other]!, map[k]!];
  }
  return map;
}

function makeBuffer(length: number, words?: Uint32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label: 'bench rows', size: 4 * length, usage });
  if (words) device.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

export const bench = suitePage<RowsRequest>(async () => {
  ({ device } = await requestBenchDevice(navigator.gpu));
  return { adapter: describeAdapter(device), browser: describeBrowser() };
}, prepare);
