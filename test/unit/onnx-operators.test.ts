/** Each operator that training knows: gradients in float64 against differences, and in float32 as ONNX Runtime runs them. */
import { describe, expect, inject, test } from 'vitest';
import { trainable } from '../../onnx/operators/registry.js';
import { encode } from '../../onnx/training-graph.js';
import { Random } from '../../proof/random.js';
import { type Array64, count } from '../support/onnx-arrays.js';
import { type Case, differentiate } from '../support/onnx-cases.js';
import { operatorCases } from '../support/onnx-operator-cases.js';
import { evaluate } from '../support/onnx-evaluate.js';
import { withCpuModel } from '../support/onnx-run.js';

const seed = inject('seed');

/** 2⁻¹⁷: a difference is then off by 10⁻¹¹ of the third derivative, and by 10⁻¹¹ of a value for each of its roundings. */
const STEP = 2 ** -17;
/** So it is for third derivatives and sums of values, each times its roundings, of up to 5000. */
const DIFFERENCE_ERROR = 2 ** -23;
/** What ONNX Runtime's float32 functions keep of numbers, times the slopes behind them, and times all that is summed. */
const FLOAT32_ERROR = 2 ** -13;

/**
 * Numbers of −2 to 2, or of 0.5 to 1.5, in equal steps and any order: no two are alike, and none lies at a kink, so that no
 * difference goes across one.
 */
function draw(random: Random, { inputs, positive = [], values = {} }: Case): Record<string, Array64> {
  const entries = Object.entries(inputs).map(([name, dims]) => {
    const length = count(dims);
    const order = Array.from({ length }, (_, k) => ({ k, key: random.uniform() }));
    order.sort((a, b) => a.key - b.key);
    const number = ({ k }: { k: number }): number =>
      Math.fround(positive.includes(name) ? 0.5 + (k + 0.3) / length : (4 * (k + 0.3)) / length - 2);
    return [name, { dims, data: Float64Array.from(values[name] ?? order.map(number)) }] as const;
  });
  return Object.fromEntries(entries);
}

const magnitude = ({ data }: Array64): number => Math.max(1, ...data.map((value) => Math.abs(value)));

describe('gradients are differences in float64, and what ONNX Runtime computes, of', () => {
  for (const [name, given] of Object.entries(operatorCases)) {
    for (const opset of given.opsets ?? [13]) {
      test(`${name}, opset ${opset}`, async () => {
        const random = new Random(seed);
        const { model, result, shape, names } = differentiate(given, opset);
        const feeds = draw(random, given);
        const weights = draw(random, { inputs: { seed: shape }, nodes: [] })['seed']!;
        const values = evaluate(model, { ...feeds, seed: weights });

        const forward = {
          ...model,
          graph: { ...model.graph!, node: model.graph!.node!.slice(0, given.nodes.length) },
        };
        const loss = (changed: Record<string, Array64>): number =>
          evaluate(forward, changed)[result]!.data.reduce((total, y, i) => total + y * weights.data[i]!, 0);
        for (const input of names) {
          const { dims, data } = feeds[input]!;
          const gradient = values[`${input}_grad`]!;
          expect(gradient.dims, input).toEqual(dims);
          const slopes = data.map((_, i) => {
            const at = (offset: number): number =>
              loss({ ...feeds, [input]: { dims, data: data.map((x, k) => (k === i ? x + offset : x)) } });
            return (at(STEP) - at(-STEP)) / (2 * STEP);
          });
          const off = Math.max(...slopes.map((slope, i) => Math.abs(slope - gradient.data[i]!)));
          expect(off, input).toBeLessThan(DIFFERENCE_ERROR * magnitude(gradient));
        }

        const narrow = Object.entries({ ...feeds, seed: weights }).map(
          ([key, { dims, data }]) => [key, { dims, data: Float32Array.from(data) }] as const,
        );
        await withCpuModel(encode(model), async (run) => {
          for (const [key, { dims, data }] of Object.entries(await run(Object.fromEntries(narrow)))) {
            const want = values[key]!;
            expect(dims, key).toEqual(want.dims);
            const off = Math.max(...want.data.map((value, i) => Math.abs(value - data[i]!)));
            expect(off, key).toBeLessThan(FLOAT32_ERROR * magnitude(want));
          }
        });
      });
    }
  }
});

test('each operator that has a gradient is among them', () => {
  const tried = new Set(Object.values(operatorCases).flatMap(({ nodes }) => nodes.map(([opType]) => opType)));
  expect(trainable.filter((opType) => !tried.has(opType))).toEqual([]);
});
