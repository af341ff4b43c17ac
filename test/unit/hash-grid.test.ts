import { describe, expect, test } from 'vitest';
import { type GridShape, firstSparseLevel, layOutLevels } from '../../demo/large/model/levels.js';
import { bytesOf, planModel, reasonAgainst } from '../../demo/large/model/plan.js';
import { planFor, ruleFor, sizes, tableExponents } from '../../demo/large/settings.js';
import { type ModelWeights, drawnPixels, twin } from '../support/photo-twin.js';
import { Random } from '../../proof/random.js';

const shape: GridShape = { levelCount: 16, coarsest: 16, finest: 512, tableSize: 2 ** 14 };

describe('levels', () => {
  test('grow by one factor from the coarsest to the finest', () => {
    const resolutions = layOutLevels(shape, 512, 512).map(({ resolution }) => resolution);
    // b = 32^(1/15) = 1.25992 = 2^(1/3): every third level has twice the cells.
    expect(resolutions.filter((_, l) => l % 3 === 0)).toEqual([16, 32, 64, 128, 256, 512]);
    expect(resolutions.slice(0, 3)).toEqual([16, 20, 25]);
  });

  test('have an entry per vertex while the table has room, rows only as far as the picture reaches', () => {
    const levels = layOutLevels(shape, 512, 256);
    expect(levels[0]).toEqual({ resolution: 16, entryCount: 17 * 9, isHashed: false });
    expect(levels.at(-1)).toEqual({ resolution: 512, entryCount: 2 ** 14, isHashed: true });
    expect(levels.every(({ entryCount }) => entryCount <= 2 ** 14)).toBe(true);
  });

  test('are sparse where the table is large against the batch', () => {
    const levels = layOutLevels(shape, 512, 512);
    expect(firstSparseLevel(levels, 4096, 'auto')).toBe(16);
    const split = firstSparseLevel(levels, 64, 'auto');
    expect(levels[split - 1]!.entryCount).toBeLessThanOrEqual(16 * 4 * 64);
    expect(levels[split]!.entryCount).toBeGreaterThan(16 * 4 * 64);
    expect(firstSparseLevel(levels, 64, 'dense')).toBe(16);
    expect(firstSparseLevel(levels, 64, 'sparse')).toBe(0);
  });
});

describe('sizes', () => {
  test('the large one has tens of millions of parameters, in buffers that every device can bind', () => {
    const plan = planFor(sizes.large);
    expect(plan.parameterCount).toBeGreaterThan(20e6);
    const guaranteed = { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 };
    expect(reasonAgainst(plan, guaranteed)).toBeUndefined();
    const { parameters, state } = bytesOf(plan, ruleFor('adam', 0.01));
    expect([parameters, state]).toEqual([4 * plan.parameterCount, 8 * plan.parameterCount]);
  });

  test('a model that a device cannot bind says so', () => {
    const plan = planFor({ ...sizes.large, table: tableExponents.at(-1)! });
    const small = { maxBufferSize: 2 ** 28, maxStorageBufferBindingSize: 2 ** 27 };
    expect(reasonAgainst(plan, small)).toMatch(
      /^it takes a buffer of \d+ MB; this device binds at most 134 MB$/u,
    );
  });
});

test('the twin has the gradients of its loss, by central differences', () => {
  const grid = { levelCount: 4, coarsest: 3, finest: 15, tableSize: 64 };
  const plan = planModel({ width: 16, height: 8, grid, hidden: 4, batch: 64, gradients: 'dense' });
  const random = new Random(5);
  const weights: ModelWeights = {
    tables: plan.levels.map(({ entryCount }) => Float64Array.from(random.weights(2 * entryCount))),
    layers: plan.layers.map(({ inputs, outputs }) => ({
      weights: Float64Array.from(random.weights(inputs * outputs)),
      bias: Float64Array.from(random.weights(outputs)),
    })),
  };
  const photo = Uint32Array.from({ length: 16 * 8 }, () => random.integer(2 ** 32));
  const pixels = drawnPixels(1, 0, 16, 16 * 8);
  const { gradients } = twin(plan, weights, photo, pixels);
  const pairs = [
    ...plan.levels.map((_, l) => [weights.tables[l]!, gradients.tables[l]!] as const),
    ...plan.layers.flatMap((_, k) =>
      (['weights', 'bias'] as const).map((part) => [weights.layers[k]![part], gradients.layers[k]![part]]),
    ),
  ] as [Float64Array, Float64Array][];
  const h = 1e-6;
  for (const [values, derivatives] of pairs) {
    for (let k = 0; k < 5; k++) {
      const i = random.integer(values.length);
      const before = values[i]!;
      const lossAt = (value: number): number => {
        values[i] = value;
        return twin(plan, weights, photo, pixels).loss;
      };
      const slope = (lossAt(before + h) - lossAt(before - h)) / (2 * h);
      values[i] = before;
      // Between kinks the loss is a polynomial of degree 2 in any one weight, so only float64's roundings are left:
      // 2⁻⁵³ of a loss of about 1, summed over a thousand terms, divided by h.
      expect(Math.abs(slope - derivatives[i]!)).toBeLessThan((1000 * 2 ** -53) / h);
    }
  }
});
