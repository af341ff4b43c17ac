/** The backward pass that onnx/ appends, against differences of the forward pass, both on the CPU. */
import { describe, expect, inject, test } from 'vitest';
import { type Shape, type Weight, elementCount } from '../../onnx/tensor.js';
import { encode } from '../../onnx/training-graph.js';
import { differentiate as differentiateCase } from '../support/onnx-cases.js';
import { type Weights, withCpuModel } from '../support/onnx-run.js';
import { Random } from '../../proof/random.js';

const seed = inject('seed');

type Node = readonly [opType: string, inputs: readonly string[], attributes?: Record<string, number>];

/** Inputs and the nodes behind them, which give `v0`, `v1`, …; the gradients are those of the inputs but `x`. */
interface Network {
  readonly inputs: Readonly<Record<string, Shape>>;
  readonly nodes: readonly Node[];
  /** Constants, e.g. shapes. */
  readonly integers?: Readonly<Record<string, readonly number[]>>;
  /** Inputs that lie halfway between the integers. */
  readonly halves?: readonly string[];
}

/**
 * Each is a polynomial of degree two at most in any single number that it takes (relu's pieces are): there, with numbers that
 * float32 holds exactly, a central difference is the derivative to the last bit.
 */
const networks: Record<string, Network> = {
  'MatMul, Add and Relu': {
    inputs: { x: [4, 5], a: [5, 6], b: [6], c: [6, 3], d: [1, 3] },
    // Changed by a quarter of an x that is −1, 0 or 1, no sum crosses zero.
    halves: ['b'],
    nodes: [
      ['MatMul', ['x', 'a']],
      ['Add', ['v0', 'b']],
      ['Relu', ['v1']],
      ['MatMul', ['v2', 'c']],
      ['Add', ['d', 'v3']],
    ],
  },
  'Gemm, transposed each way, with and without bias': {
    inputs: { x: [4, 5], a: [5, 6], b: [4, 1], c: [7, 6], d: [4, 4], e: [3, 7], f: [3] },
    nodes: [
      ['Gemm', ['x', 'a', 'b']],
      ['Gemm', ['v0', 'c'], { transB: 1 }],
      ['Gemm', ['v1', 'd'], { transA: 1 }],
      ['Gemm', ['v2', 'e', 'f'], { transA: 1, transB: 1 }],
    ],
  },
  'Mul, Sub and Identity, of values used twice': {
    inputs: { x: [4, 5], a: [5, 3], b: [4, 1], c: [1], d: [4, 3] },
    nodes: [
      ['MatMul', ['x', 'a']],
      ['Mul', ['v0', 'v0']],
      ['Mul', ['b', 'v1']],
      ['Identity', ['v0']],
      ['Sub', ['v2', 'v3']],
      ['Sub', ['d', 'v4']],
      ['Mul', ['v5', 'c']],
    ],
  },
  'Reshape, with −1 and with 0': {
    inputs: { x: [4, 5], a: [4, 1, 5], b: [5, 3] },
    integers: { rows: [-1, 5], halves: [2, 2, -1], same: [0, 2, 3] },
    nodes: [
      ['Reshape', ['a', 'rows']],
      ['Mul', ['x', 'v0']],
      ['MatMul', ['v1', 'b']],
      ['Reshape', ['v2', 'halves']],
      ['Reshape', ['v3', 'same']],
    ],
  },
  Flatten: {
    inputs: { x: [4, 5], a: [4, 1, 5], b: [5, 3] },
    nodes: [
      ['Flatten', ['a']],
      ['Mul', ['x', 'v0']],
      ['MatMul', ['v1', 'b']],
    ],
  },
};

/** The model with the gradients of all inputs but `x` with respect to Σ seed·result among its outputs. */
function differentiate({ inputs, nodes, integers = {} }: Network): {
  model: Uint8Array<ArrayBuffer>;
  result: string;
  shape: Shape;
} {
  const { model, ...rest } = differentiateCase({ inputs, nodes, lists: integers, frozen: ['x'] }, 13);
  return { model: encode(model), ...rest };
}

const draw = (dims: Shape, next: () => number): Weight => ({
  dims,
  data: Float32Array.from({ length: elementCount(dims) }, next),
});

/** Central differences of a sum over a result, with respect to each number of one feed. */
async function differences(
  feeds: Weights,
  name: string,
  step: number,
  sum: (feeds: Weights) => Promise<number>,
): Promise<number[]> {
  const { dims, data } = feeds[name]!;
  const slopes: number[] = [];
  for (let i = 0; i < data.length; i++) {
    const at = (offset: number): Promise<number> =>
      sum({ ...feeds, [name]: { dims, data: data.map((value, k) => (k === i ? value + offset : value)) } });
    slopes.push(((await at(step)) - (await at(-step))) / (2 * step));
  }
  return slopes;
}

describe('gradients are the differences, to the last bit, of', () => {
  for (const [name, network] of Object.entries(networks)) {
    test(name, async () => {
      const random = new Random(seed);
      const { model, result, shape } = differentiate(network);
      const feeds: Weights = { seed: draw(shape, () => random.integer(5) - 2) };
      for (const [input, dims] of Object.entries(network.inputs)) {
        const half = network.halves?.includes(input) ? 0.5 : 0;
        feeds[input] = draw(dims, () => random.integer(3) - 1 + half);
      }
      await withCpuModel(model, async (run) => {
        const outputs = await run(feeds);
        const sum = async (changed: Weights): Promise<number> => {
          const { data } = (await run(changed))[result]!;
          return data.reduce((total, value, i) => total + value * feeds['seed']!.data[i]!, 0);
        };
        for (const input of Object.keys(network.inputs).filter((other) => other !== 'x')) {
          const { data, dims } = outputs[`${input}_grad`]!;
          expect(dims, input).toEqual(network.inputs[input]);
          // Adding 0 makes −0 a 0.
          const want = (await differences(feeds, input, 0.25, sum)).map((slope) => slope + 0);
          expect(
            [...data].map((slope) => slope + 0),
            input,
          ).toEqual(want);
        }
      });
    });
  }
});

/**
 * What ONNX Runtime's float32 functions and the sums behind them are trusted to keep here: 8 ULP at 1, for values below 2.
 */
const FUNCTION_ERROR = 2 ** -20;

/**
 * A central difference with step h is off by h²/6 · max|f‴| for the series cut off and by the values' error over h. The step
 * makes the two about equal. The gradient itself is computed from such values as well.
 */
function differenceBound(thirdDerivative: number): { step: number; bound: number } {
  const step = 2 ** Math.round(Math.log2((6 * FUNCTION_ERROR) / thirdDerivative) / 3);
  return { step, bound: (step ** 2 / 6) * thirdDerivative + FUNCTION_ERROR / step + 2 * FUNCTION_ERROR };
}

describe('gradients are the differences, within a bound, of', () => {
  // max|tanh‴| = 2, at 0; max|σ‴| = 1/8, at 0.
  for (const [opType, thirdDerivative] of [
    ['Tanh', 2],
    ['Sigmoid', 1 / 8],
  ] as const) {
    test(opType, async () => {
      const random = new Random(seed);
      const { model, result, shape } = differentiate({ inputs: { a: [8] }, nodes: [[opType, ['a']]] });
      const feeds = { seed: draw(shape, () => 1), a: draw([8], () => 4 * random.uniform() - 2) };
      const { step, bound } = differenceBound(thirdDerivative);
      await withCpuModel(model, async (run) => {
        const { data } = (await run(feeds))['a_grad']!;
        for (let i = 0; i < 8; i++) {
          // Each result follows from one number, so no other's error comes in.
          const want = await differences(
            feeds,
            'a',
            step,
            async (changed) => (await run(changed))[result]!.data[i]!,
          );
          expect(Math.abs(data[i]! - want[i]!)).toBeLessThanOrEqual(bound);
        }
      });
    });
  }
});
