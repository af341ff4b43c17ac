import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { GpuSession } from '../../demo/train/gpu-session.js';
import type { EpochReport, TrainingReport } from '../../demo/train/reports.js';
import type { Model } from '../../lab/tasks/task.js';
import { createCorpus, decode, fetchMobyDick } from '../../lab/tasks/text/corpus.js';
import { sampleText } from '../../demo/train/text/sampler.js';
import { TextTask } from '../../lab/tasks/text/text-task.js';
import { createTransformer } from '../../lab/tasks/text/transformer.js';
import { Trainer } from '../../demo/train/trainer.js';

const config = { vocabularySize: 11, contextLength: 8, layerCount: 2, width: 16, headCount: 4 };
let session: GpuSession;

beforeAll(async () => {
  session = await GpuSession.open();
});
afterAll(() => session.close());

/** Runs with a model and frees it. */
async function withModel<T>(seed: number, use: (model: Model) => Promise<T>): Promise<T> {
  const model = createTransformer(seed, config);
  try {
    return await use(model);
  } finally {
    model.dispose();
    tf.dispose([...model.variables]);
  }
}

async function logitsOf(model: Model, text: number[]): Promise<Float32Array> {
  const logits = tf.tidy(() => model.logits(tf.tensor2d([text], [1, text.length], 'int32')));
  const values = await logits.data<'float32'>();
  logits.dispose();
  return values;
}

test('it sees what was, not what comes', async () => {
  await withModel(1, async (model) => {
    const text = [3, 1, 4, 1, 5, 9, 2, 6];
    const before = await logitsOf(model, text);
    for (const changed of [0, 4, 7]) {
      const after = await logitsOf(
        model,
        text.map((character, at) => (at === changed ? 10 : character)),
      );
      const differs = text.map((_, at) =>
        after
          .slice(at * config.vocabularySize, (at + 1) * config.vocabularySize)
          .some((logit, i) => logit !== before[at * config.vocabularySize + i]),
      );
      expect(differs).toEqual(text.map((_, at) => at >= changed));
    }
    // A shorter text is the beginning of a longer one; matrices of another size are added up in another order.
    const short = await logitsOf(model, text.slice(0, 5));
    expect(short).toHaveLength(5 * config.vocabularySize);
    for (const [i, logit] of short.entries()) expect(logit).toBeCloseTo(before[i]!, 5);
  });
});

test('it has 4 + 8·layers tensors, and as many elements as its formula says', async () => {
  const { vocabularySize, contextLength, layerCount, width } = config;
  await withModel(1, async ({ variables }) => {
    expect(variables).toHaveLength(4 + 8 * layerCount);
    // Query, key, value, mix: 4 width²; up and down: 8 width²; two gains.
    expect(variables.reduce((sum, { size }) => sum + size, 0)).toBe(
      2 * vocabularySize * width + contextLength * width + width + layerCount * (12 * width ** 2 + 2 * width),
    );
  });
});

test('it knows nothing at first, and the seed decides about its weights', async () => {
  const inputs = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [1, 8], 'int32');
  const targets = tf.tidy(() =>
    tf.oneHot(tf.tensor1d([2, 3, 4, 5, 6, 7, 8, 9], 'int32'), config.vocabularySize, 1, 0, 'float32'),
  ) as tf.Tensor2D;
  const loss = (seed: number): Promise<number> =>
    withModel(seed, async (model) => {
      const scalar = model.loss({ inputs, targets });
      const [value] = await scalar.data();
      scalar.dispose();
      return value!;
    });
  const first = await loss(1);
  // Features have unit mean square and output weights a deviation of 0.02: logits of deviation 0.02·√16 = 0.08. The loss is
  // off by at most the spread of the logits, and six deviations are more than any logit of these has.
  expect(Math.abs(first - Math.log(config.vocabularySize))).toBeLessThan(6 * 0.08);
  expect(await loss(1)).toBe(first);
  expect(await loss(2)).not.toBe(first);
  tf.dispose([inputs, targets]);
});

test('a width that its heads do not divide is refused', () => {
  expect(() => createTransformer(1, { ...config, headCount: 3 })).toThrow(/width 16 .* 3 heads/u);
});

test('a corpus has every character once, knows its entropy, and holds its end out', async () => {
  const { alphabet, train, heldOut, unigramBits } = createCorpus('abacabadba');
  expect(alphabet).toEqual(['a', 'b', 'c', 'd']);
  expect([train.length, heldOut.length]).toEqual([9, 1]);
  // Half a, three tenths b, a tenth each of c and d.
  expect(unigramBits).toBeCloseTo(0.5 + 0.3 * Math.log2(10 / 3) + 0.2 * Math.log2(10), 12);
  expect(() => createCorpus('')).toThrow(/got one of 0/u);

  const moby = await fetchMobyDick();
  expect(decode(moby, moby.train.slice(22, 40))).toBe('Call me Ishmael. S');
  expect(moby.train.length + moby.heldOut.length).toBeGreaterThan(1_190_000 - 1);
});

test('both sides learn a text by heart, and it is written on', async () => {
  const corpus = createCorpus('whales '.repeat(80));
  const vocabularySize = corpus.alphabet.length;
  const contextLength = 8;
  const task = new TextTask(corpus, {
    vocabularySize,
    contextLength,
    layerCount: 1,
    width: 16,
    headCount: 2,
  });
  const before = tf.memory().numTensors;
  const lr = 0.05;
  const trainer = await Trainer.create(
    session,
    task,
    [
      { source: 'webgpu-optim', rule: 'adam', lr },
      { source: 'tfjs', rule: 'adam', lr },
    ],
    { epochs: 1, maxSteps: 25, batchSize: 8, seed: 1, reportEvery: 25 },
  );
  try {
    const run = trainer.run();
    const { value: reports } = await run.next();
    const losses = (reports as readonly TrainingReport[]).map((report) =>
      report.kind === 'progress' ? report.losses : [],
    );
    expect(losses.map(({ length }) => length)).toEqual([25, 25]);
    // Same weights, same batches: before any step the losses are the same number.
    expect(losses[0]![0]).toBe(losses[1]![0]);
    const { value: epoch } = await run.next();
    // Every character follows from the one before it; a guess is right one time in seven.
    for (const { accuracy } of epoch as readonly EpochReport[]) expect(accuracy).toBeGreaterThan(0.9);
    expect((await run.next()).done).toBe(true);

    const model = trainer.learners[0]!.model;
    const request = { prompt: corpus.train.slice(0, contextLength), length: 8, seed: 3, vocabularySize };
    const cold = await sampleText(model, { ...request, temperature: 0.01 });
    expect(decode(corpus, cold)).toBe('hales wh');
    const hot = await sampleText(model, { ...request, temperature: 100 });
    expect(hot).not.toEqual(cold);
    expect(await sampleText(model, { ...request, temperature: 100 })).toEqual(hot);
  } finally {
    trainer.destroy();
    const after = tf.memory().numTensors;
    task.destroy();
    expect(after).toBe(before);
  }
});
