import { createArray } from '../../../lab/measuring/page/workload.js';
import { readSample } from '../../../lab/measuring/page/read-back.js';
import type { MatrixRequest } from '../../suites/matrix-work.js';
import type { SuiteContestant } from '../suite-page.js';
import { COEFFICIENTS, type WideStack, checkOrthogonal, wideStacks } from './stacks.js';

const SIDE = 8;

/** A product as everyone first writes it: one element of it per invocation, and all that it needs from memory. */
const WGSL = `
struct Product { rows: u32, columns: u32, inner: u32, is_transposed: u32, factor: f32, addend_factor: f32 }

@group(0) @binding(0) var<uniform> product: Product;
@group(0) @binding(1) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read> right: array<f32>;
@group(0) @binding(3) var<storage, read> addend: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(${SIDE}, ${SIDE})
fn multiply(@builtin(global_invocation_id) id: vec3<u32>) {
  let row = id.y;
  let column = id.x;
  if (row >= product.rows || column >= product.columns) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < product.inner; k++) {
    let place = select(k * product.columns + column, column * product.inner + k, product.is_transposed != 0u);
    sum += left[row * product.inner + k] * right[place];
  }
  let i = row * product.columns + column;
  out[i] = product.addend_factor * addend[i] + product.factor * sum;
}`;

/** One dispatch: what is bound, and how many workgroups. */
interface Dispatch {
  readonly bindGroup: GPUBindGroup;
  readonly across: number;
  readonly down: number;
}

/** Plain hand-written WGSL: the products whole, one dispatch each, bind groups made once, one submit. */
export async function naive(
  device: GPUDevice,
  { stacks, iterations }: MatrixRequest,
): Promise<SuiteContestant> {
  const pipeline = await device.createComputePipelineAsync({
    label: 'bench naive products',
    layout: 'auto',
    compute: { module: device.createShaderModule({ label: 'bench naive products', code: WGSL }) },
  });
  const buffers: GPUBuffer[] = [];
  const array = (label: string, elementCount: number, values?: Float32Array<ArrayBuffer>) => {
    const buffer = createArray(device, label, elementCount, values);
    buffers.push(buffer);
    return buffer;
  };
  const [a, b, c] = COEFFICIENTS;
  const wide = wideStacks(stacks);
  const results: GPUBuffer[] = [];
  const dispatches = wide.flatMap(({ short, long, count, values }: WideStack, s): Dispatch[] => {
    const product = (numbers: readonly number[], factors: readonly number[]) => {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      const uniform = device.createBuffer({ label: `bench product ${s}`, size: 32, usage });
      device.queue.writeBuffer(uniform, 0, new Uint32Array(numbers));
      device.queue.writeBuffer(uniform, 16, new Float32Array(factors));
      buffers.push(uniform);
      return uniform;
    };
    const square = product([short, short, long, 1], [1, 0]);
    const polynomial = product([short, short, short, 1], [c, b]);
    const last = product([short, long, short, 0], [1, a]);
    const [gram, sum] = ['gram', 'polynomial'].map((name) => array(`naive ${name} ${s}`, short * short));
    const turns = [0, 1].map((k) => array(`naive x ${s} ${k}`, short * long));
    const dispatch = (columns: number, ...bound: readonly GPUBuffer[]): Dispatch => ({
      bindGroup: device.createBindGroup({
        label: `bench naive product ${s}`,
        layout: pipeline.getBindGroupLayout(0),
        entries: bound.map((buffer, binding) => ({ binding, resource: { buffer } })),
      }),
      across: Math.ceil(columns / SIDE),
      down: Math.ceil(short / SIDE),
    });
    const iteration = (x: GPUBuffer, out: GPUBuffer) => [
      dispatch(short, square, x, x, x, gram!),
      // A is its own transposed.
      dispatch(short, polynomial, gram!, gram!, gram!, sum!),
      dispatch(long, last, sum!, x, x, out),
    ];
    const again = Array.from({ length: iterations }, (_, k) =>
      k === 0 ? [] : iteration(turns[(k + 1) % 2]!, turns[k % 2]!),
    ).flat();
    results.push(turns[(iterations - 1) % 2]!);
    return Array.from({ length: count }, (_, k) => {
      const own = values.slice(k * short * long, (k + 1) * short * long);
      return [...iteration(array(`naive input ${s} ${k}`, short * long, own), turns[0]!), ...again];
    }).flat();
  });
  const step = (): void => {
    const encoder = device.createCommandEncoder({ label: 'bench naive products' });
    const pass = encoder.beginComputePass({ label: 'bench naive products' });
    pass.setPipeline(pipeline);
    for (const { bindGroup, across, down } of dispatches) {
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(across, down);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  step();
  for (const [s, stack] of wide.entries())
    checkOrthogonal(stack, await readSample(device, results[s]!, stack.short * stack.long));
  return {
    step,
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      for (const buffer of buffers) buffer.destroy();
    },
  };
}
