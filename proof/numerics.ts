/** What an adapter's float32 arithmetic does where WGSL leaves it open (§15.7 "Floating Point Evaluation"). */
import { bitDifference, ulpAt } from './compare.js';
import { Random } from './random.js';
import { readBuffer } from './read-buffer.js';

/** One question about the arithmetic, and what was found. */
export interface NumericsRow {
  readonly question: string;
  readonly answer: string;
}

type Operation = (a: number, b: number, c: number) => number;

/** Inputs on which answers differ, the WGSL of the result, and the answers that there may be. */
interface Probe {
  readonly question: string;
  readonly wgsl: string;
  readonly inputs: readonly (readonly [number, number, number])[];
  /** Exactly rounded results by what to call an adapter that gives them. */
  readonly answers: Readonly<Record<string, Operation>>;
}

const SAMPLES = 4096;
const { fround, sqrt } = Math;

/**
 * Probes a device with one small kernel for each question. Expected results come from float64, which has more than
 * 2·24 + 2 bits, so rounding its sums, quotients and roots to float32 is rounding once (Figueroa 1995); products of two
 * float32s, and what is lost when they are rounded, are exact in it.
 */
export async function probeNumerics(device: GPUDevice, seed: number): Promise<NumericsRow[]> {
  const rows: NumericsRow[] = [];
  for (const probe of makeProbes(seed)) {
    rows.push({ question: probe.question, answer: judge(await evaluate(device, probe), probe) });
  }
  return rows;
}

/**
 * What the results say: the one answer that all of them agree with, or how many disagree with each.
 *
 * @param results float32, one for each of the probe's inputs.
 */
export function judge(results: Float32Array, { answers, inputs }: Pick<Probe, 'answers' | 'inputs'>): string {
  const got = withoutSignOfZero(results);
  const tallies = Object.entries(answers).map(([answer, operation]) => {
    const want = withoutSignOfZero(Float32Array.from(inputs, (abc) => operation(...abc)));
    if (bitDifference(got, want) === undefined) return { answer, agrees: true, text: '' };
    const ulps = [...want].map((value, i) =>
      Object.is(got[i], value) ? 0 : Math.abs(got[i]! - value) / ulpAt(value),
    );
    const off = ulps.filter((ulp) => ulp !== 0).length;
    const largest = ulps.reduce((a, b) => (b > a ? b : a), 0);
    return {
      answer,
      agrees: false,
      text: `not "${answer}" in ${off} of ${got.length}, by up to ${largest} ULP`,
    };
  });
  return tallies.find(({ agrees }) => agrees)?.answer ?? tallies.map(({ text }) => text).join('; ');
}

/** The sign of a zero that was flushed, or cancelled, is nobody's concern here. */
const withoutSignOfZero = (values: Float32Array): Float32Array => values.map((value) => value + 0);

function makeProbes(seed: number): Probe[] {
  const random = new Random(seed);
  /** Both signs, magnitudes from 2^-low to 2^high. */
  const spread = (low: number, high: number): number =>
    fround(
      (random.uniform() < 0.5 ? -1 : 1) *
        (1 + random.uniform()) *
        2 ** Math.floor(low + (high - low) * random.uniform()),
    );
  const sample = (make: () => [number, number, number]) => Array.from({ length: SAMPLES }, make);
  const pairs = sample(() => [spread(-20, 20), spread(-20, 20), 0]);
  // The addend cancels the rounded product, so what is left is what rounding lost, or nothing.
  const cancelling = sample(() => {
    const [a, b] = [spread(-10, 10), spread(-10, 10)];
    return [a, b, -fround(a * b)];
  });
  const contraction = { 'a * b is rounded before the addition': () => 0, 'contracted to fma': fusedResidue };
  const subnormals = sample(() => [spread(-148, -127), 1, 0]).filter(([a]) => a !== 0);
  const toSubnormal = sample(() => [spread(-70, -65), spread(-70, -65), 0]);
  const kept = { 'subnormals are kept': (a: number) => a, 'subnormals are flushed to 0': () => 0 };
  return [
    { question: 'a + b', wgsl: 'a + b', inputs: pairs, answers: { 'exactly rounded': (a, b) => a + b } },
    { question: 'a * b', wgsl: 'a * b', inputs: pairs, answers: { 'exactly rounded': (a, b) => a * b } },
    { question: 'a / b', wgsl: 'a / b', inputs: pairs, answers: { 'exactly rounded': (a, b) => a / b } },
    {
      question: 'sqrt(a)',
      wgsl: 'sqrt(abs(a))',
      inputs: pairs,
      answers: { 'exactly rounded': (a) => sqrt(Math.abs(a)) },
    },
    { question: 'a * b + c', wgsl: 'a * b + c', inputs: cancelling, answers: contraction },
    {
      question: 'c + a * b, c in a variable',
      wgsl: 'sum_of(c, a * b)',
      inputs: cancelling,
      answers: contraction,
    },
    {
      question: 'fma(a, b, c)',
      wgsl: 'fma(a, b, c)',
      inputs: cancelling,
      answers: { 'rounded once': fusedResidue, 'rounded twice': () => 0 },
    },
    { question: 'a subnormal, loaded and stored', wgsl: 'a', inputs: subnormals, answers: kept },
    { question: 'a subnormal times 1', wgsl: 'a * b', inputs: subnormals, answers: kept },
    {
      question: 'a subnormal times 2^64',
      wgsl: 'a * 0x1p64f',
      inputs: subnormals,
      answers: {
        'subnormal operands are kept': (a) => a * 2 ** 64,
        'subnormal operands are flushed to 0': () => 0,
      },
    },
    {
      question: 'a product that is subnormal',
      wgsl: 'a * b',
      inputs: toSubnormal,
      answers: { 'subnormals are kept': (a, b) => a * b, 'subnormals are flushed to 0': () => 0 },
    },
    {
      question: '1 / 0, 0 / 0, overflow',
      wgsl: 'a / b * c',
      inputs: [
        [1, 0, 1],
        [-1, 0, 1],
        [0, 0, 1],
        [2 ** 100, 1, 2 ** 100],
      ],
      answers: { 'infinity and NaN as in IEEE 754': (a, b, c) => (a / b) * c },
    },
  ];
}

/** What is lost when a · b is rounded: exact in float64, since the product has 48 bits. */
function fusedResidue(a: number, b: number, c: number): number {
  return a * b + c;
}

async function evaluate(device: GPUDevice, { question, wgsl, inputs }: Probe): Promise<Float32Array> {
  const label = `probe ${question}`;
  const code = `
@group(0) @binding(0) var<storage, read> inputs: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;

fn sum_of(x: f32, y: f32) -> f32 {
  return x + y;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&results)) {
    return;
  }
  let a = inputs[3u * id.x];
  let b = inputs[3u * id.x + 1u];
  let c = inputs[3u * id.x + 2u];
  results[id.x] = ${wgsl};
}`;
  const values = new Float32Array(inputs.flat());
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const [source, target] = [values.byteLength, 4 * inputs.length].map((size) =>
    device.createBuffer({ label, size, usage }),
  ) as [GPUBuffer, GPUBuffer];
  device.queue.writeBuffer(source, 0, values);
  const pipeline = await device.createComputePipelineAsync({
    label,
    layout: 'auto',
    compute: { module: device.createShaderModule({ label, code }) },
  });
  const bindGroup = device.createBindGroup({
    label,
    layout: pipeline.getBindGroupLayout(0),
    entries: [source, target].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder({ label });
  const pass = encoder.beginComputePass({ label });
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(Math.ceil(inputs.length / 64));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const results = new Float32Array((await readBuffer(device, target)).buffer);
  source.destroy();
  target.destroy();
  return results;
}
