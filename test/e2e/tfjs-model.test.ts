import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, inject, test } from 'vitest';
import { FusedOptimizer, type FusedOptimizerOptions } from '../../src/adapters/tfjs/index.js';
import { type Rule, adafactor, adam, adamw, lamb, momentum, muon, schedules, sgd } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { errorOf } from '../support/error-of.js';
import { Random } from '../../proof/random.js';
import { useTfjs, valuesOf } from '../support/tfjs-session.js';

const { make, variable } = useTfjs();

/** The parity of two signs, which no linear model learns. */
const INPUTS = [-1, -1, -1, 1, 1, -1, 1, 1];
const TARGETS = [0, 1, 1, 0];

function makeModel(): tfl.Sequential {
  const initializer = (seed: number) => tfl.initializers.glorotUniform({ seed });
  return tfl.sequential({
    layers: [
      tfl.layers.dense({
        units: 8,
        activation: 'tanh',
        inputShape: [2],
        kernelInitializer: initializer(1),
      }),
      tfl.layers.dense({ units: 1, activation: 'sigmoid', kernelInitializer: initializer(2) }),
    ],
  });
}

async function fit(model: tfl.Sequential | tfl.LayersModel, epochs: number): Promise<number[]> {
  const [inputs, targets] = [tf.tensor2d(INPUTS, [4, 2]), tf.tensor2d(TARGETS, [4, 1])];
  const { history } = await model.fit(inputs, targets, { epochs, shuffle: false, verbose: 0 });
  tf.dispose([inputs, targets]);
  return history['loss'] as number[];
}

/** What is in the files of a model that is saved with its optimizer. */
async function filesOf(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  const handler = tf.io.withSaveHandler(async (given) => {
    artifacts = given;
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
  });
  await model.save(handler, { includeOptimizer: true });
  const trainingConfig = JSON.parse(JSON.stringify(artifacts!.trainingConfig)) as tf.io.TrainingConfig;
  return { ...artifacts!, trainingConfig };
}

test('model.fit learns, and holds no more tensors for it', async () => {
  const model = makeModel();
  model.compile({ optimizer: make(adam({ lr: 0.1 })), loss: 'binaryCrossentropy' });
  const [first] = await fit(model, 1);
  const { numTensors } = tf.memory();
  const last = (await fit(model, 30)).at(-1)!;
  // Knowing nothing costs log 2; the four cases are told apart when it is far below.
  expect(first).toBeGreaterThan(0.5);
  expect(last).toBeLessThan(0.2);
  expect(tf.memory().numTensors).toBe(numTensors);
  model.dispose();
});

test('a saved model with its optimizer is trained on as if it had not been saved', async () => {
  const model = makeModel();
  const options: FusedOptimizerOptions<ReturnType<typeof adamw>> = {
    maxGradNorm: 1,
    groups: [{ match: /bias/, weightDecay: 0 }],
  };
  model.compile({ optimizer: make(adamw({ lr: 0.05 }), options), loss: 'binaryCrossentropy' });
  await fit(model, 3);
  const { numTensors } = tf.memory();
  const artifacts = await filesOf(model);
  // The last of a save's tensors has gone with its reading.
  expect(tf.memory().numTensors).toBe(numTensors);
  const goesOn = await fit(model, 3);
  const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
  expect(loaded.optimizer).toBeInstanceOf(FusedOptimizer);
  expect(loaded.optimizer.getConfig()).toEqual((model.optimizer as FusedOptimizer).getConfig());
  expect(await fit(loaded, 3)).toEqual(goesOn);
  for (const [k, weight] of loaded.getWeights().entries()) {
    expect(bitDifference(await valuesOf(weight), await valuesOf(model.getWeights()[k]!))).toBeUndefined();
  }
  loaded.optimizer.dispose();
  model.dispose();
  loaded.dispose();
});

test('groups are the same when a page makes its model again, or loads it', async () => {
  const initializer = tfl.initializers.ones();
  const build = () =>
    tfl.sequential({
      layers: [
        tfl.layers.dense({
          name: 'named',
          units: 1,
          inputShape: [2],
          kernelInitializer: initializer,
          biasInitializer: initializer,
        }),
      ],
    });
  const models: tfl.LayersModel[] = [build(), build()];
  models.push(await tfl.models.modelFromJSON(models[0]!.toJSON(null, false) as never));
  const rule = sgd({ lr: 0.5, weightDecay: 0.5, weightDecayMode: 'raw' });
  for (const [k, model] of models.entries()) {
    const optimizer = make(rule, {
      groups: [{ match: /bias$/, weightDecay: 0 }, { params: ['named/kernel'] }],
    });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const zeros = [tf.zeros([4, 2]), tf.ones([4, 1])] as const;
    await model.fit(...zeros, { epochs: 1, verbose: 0 });
    tf.dispose([...zeros]);
    const [kernel, bias] = await Promise.all(model.getWeights().map(valuesOf));
    // The loss is 0: what moves is what decays.
    expect([...kernel!, ...bias!]).toEqual([0.5, 0.5, 1]);
    const end = k === 0 ? '' : `_${k}`;
    expect(optimizer.engine!.groups.map(({ params }) => params)).toEqual([
      [`named/bias${end}`],
      [`named/kernel${end}`],
    ]);
  }
  for (const model of models) model.dispose();
});

const RESUMED: [string, Rule, FusedOptimizerOptions][] = [
  ['adam', adam({ lr: 0.1, amsgrad: true }), { skipNonFinite: true, ema: { decay: 0.9 } }],
  ['a rule with state of whole tensors', lamb({ lr: 0.1 }), { lossScale: 'dynamic' }],
  ['a rule without state', sgd({ lr: 0.1 }), {}],
];

for (const [title, rule, options] of RESUMED) {
  test(`saved weights are gone on with, bit for bit: ${title}`, async () => {
    const random = new Random(inject('seed'));
    const start = [random.weights(12), random.weights(5), random.weights(3)];
    const gradients = start.map((values) => tf.tensor1d(random.gradients(values.length)));
    const runs = [0, 1].map(() => ({
      variables: start.map((values) => variable(values)),
      optimizer: make(rule, options),
    }));
    const step = ({ variables, optimizer }: (typeof runs)[number], ...which: number[]) =>
      optimizer.applyGradients(which.map((k) => ({ name: variables[k]!.name, tensor: gradients[k]! })));
    const [whole, cut] = runs as [(typeof runs)[number], (typeof runs)[number]];
    for (const run of runs) {
      step(run, 0, 1);
      // One variable joins late: its bias corrections count from there.
      step(run, 0, 1, 2);
    }
    const config = JSON.parse(JSON.stringify(cut.optimizer.getConfig())) as tf.serialization.ConfigDict;
    const resumed = FusedOptimizer.fromConfig(FusedOptimizer, config) as FusedOptimizer;
    const { numTensors } = tf.memory();
    await resumed.setWeights(await cut.optimizer.getWeights());
    await resumed.setWeights(await resumed.getWeights());
    cut.optimizer.dispose();
    expect(resumed.iterations).toBe(2);
    step(whole, 0, 1, 2);
    step({ ...cut, optimizer: resumed }, 0, 1, 2);
    for (const [k, v] of whole.variables.entries()) {
      expect(bitDifference(await valuesOf(cut.variables[k]!), await valuesOf(v)), `${k}`).toBeUndefined();
    }
    resumed.dispose();
    expect(tf.memory().numTensors).toBe(numTensors);
    tf.dispose(gradients);
  });
}

test('what is saved before the first step is loaded, and trained on like a new one', async () => {
  const [model, twin] = [makeModel(), makeModel()];
  for (const one of [model, twin]) {
    one.compile({ optimizer: make(adam({ lr: 0.05 }), { maxGradNorm: 1 }), loss: 'binaryCrossentropy' });
  }
  const artifacts = await filesOf(model);
  const loaded = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
  expect(await fit(loaded, 2)).toEqual(await fit(twin, 2));
  expect(loaded.optimizer.iterations).toBe(2);
  // One that has only been loaded is saved as it was.
  const again = make(adam({ lr: 0.05 }));
  await again.setWeights(await make(adam()).getWeights());
  expect((await again.getWeights()).map(({ name }) => name)).toEqual(['iter']);
  loaded.optimizer.dispose();
  tf.dispose([model, twin, loaded].flatMap((one) => one.getWeights()));
});

test('exported weights are kept until they are read, or the next step, and can be loaded after', async () => {
  const w = variable([1, 2]);
  const ones = tf.tensor1d([1, 1]);
  const optimizer = make(adam({ lr: 0.1 }));
  const step = () => optimizer.applyGradients({ [w.name]: ones });
  step();
  const { numTensors } = tf.memory();
  const [iter, moment, square] = await optimizer.getWeights();
  expect(tf.memory().numTensors).toBe(numTensors + 3);
  expect([...(await valuesOf(moment!.tensor))]).toEqual([Math.fround(0.1), Math.fround(0.1)]);
  expect(tf.memory().numTensors).toBe(numTensors + 3);
  const before = await valuesOf(w);
  step();
  expect(tf.memory().numTensors).toBe(numTensors);
  const want = await valuesOf(w);
  w.assign(tf.tensor1d(before));
  await optimizer.setWeights([iter!, moment!, square!]);
  step();
  expect(bitDifference(await valuesOf(w), want)).toBeUndefined();
  for (const { tensor } of await optimizer.getWeights()) await tensor.data();
  expect(tf.memory().numTensors).toBe(numTensors + 1);
  ones.dispose();
});

test('weights that do not fit are refused, and the step with them', async () => {
  const [w, b] = [variable([1, 2]), variable([3])];
  const gradients = { [w.name]: tf.tensor1d([1, 1]), [b.name]: tf.tensor1d([1]) };
  const saved = make(momentum());
  saved.applyGradients(gradients);
  const weights = await saved.getWeights();
  expect(weights.map(({ name }) => name)).toEqual([
    'iter',
    `${w.name}/momentum_buffer`,
    `${b.name}/momentum_buffer`,
  ]);
  const optimizer = make(momentum());
  const without = await errorOf(() => optimizer.setWeights(weights.slice(1)));
  expect([without.code, without.message]).toEqual([
    'invalid-state-dict',
    expect.stringContaining('they lack "iter"'),
  ]);
  const strange = [...weights, { name: 'strange', tensor: tf.scalar(1) }];
  expect((await errorOf(() => optimizer.setWeights(strange))).message).toContain('"strange"');
  await optimizer.setWeights(weights);
  const few = await errorOf(() => optimizer.applyGradients({ [w.name]: gradients[w.name]! }));
  expect(few.message).toContain('state of 2 variables');
  const other = make(adam());
  await other.setWeights(weights);
  const wrong = await errorOf(() => other.applyGradients(gradients));
  expect(wrong.message).toContain('lacks "exp_avg"');
  expect([...(await valuesOf(b))]).toEqual([Math.fround(3 - Math.fround(0.01))]);
  optimizer.applyGradients(gradients);
  expect((await optimizer.stats()).step).toBe(2);
});

test('a rule of matrices is loaded by its name, with the rule of all others', () => {
  const rule = muon({
    adjustLrFn: 'match_rms_adamw',
    nsCoefficients: [
      [2, -1.5, 0.5],
      [3, -3, 1],
    ],
    others: adamw({ lr: 0.3 }),
  });
  const groups = [{ match: /bias$/, others: true as const, epsPlacement: 'inside' as const }];
  const optimizer = make(rule, { groups: [...groups, { match: /x/, adjustLrFn: 'none' }] });
  // What tfjs makes of strings as it saves a model, and loads it.
  const cased = (value: unknown): unknown => {
    if (typeof value === 'string') return value.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    if (Array.isArray(value)) return value.map(cased);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, key === 'name' ? each : cased(each)]),
    );
  };
  for (const change of [(config: unknown) => config, cased]) {
    const config = change(JSON.parse(JSON.stringify(optimizer.getConfig()))) as tf.serialization.ConfigDict;
    const again = FusedOptimizer.fromConfig(FusedOptimizer, config) as FusedOptimizer;
    expect(again.getConfig()).toEqual(optimizer.getConfig());
    again.learningRate = 0.5;
    expect(again.getConfig()).toMatchObject({
      options: { lr: 0.5 },
      others: { rule: 'adamw', options: { lr: 0.5 } },
    });
  }
  const factored = make(adafactor({ lr: 0.5, minDimSizeToFactor: 3 })).getConfig();
  expect(factored).not.toHaveProperty('others');
  const other = FusedOptimizer.fromConfig(FusedOptimizer, factored) as FusedOptimizer;
  expect(other.getConfig()).toEqual(factored);
});

test('the learning rate is set as that of tf.train.sgd', async () => {
  const w = variable([1]);
  const optimizer = make(sgd({ lr: 1 }));
  optimizer.setLearningRate(0.25);
  optimizer.applyGradients({ [w.name]: tf.tensor1d([1]) });
  expect([...(await valuesOf(w)), optimizer.learningRate]).toEqual([0.75, 0.25]);
  expect(() => optimizer.setLearningRate(NaN)).toThrow('lr is NaN');
});

test('a config holds the learning rate of a schedule, and names its rule', () => {
  const optimizer = make(sgd({ lr: schedules.exponential({ lr: 1, gamma: 0.5, decaySteps: 1 }) }));
  const { options } = optimizer.getConfig() as { options: { lr: number } };
  expect(options.lr).toBe(1);
  const unknown = { ...optimizer.getConfig(), rule: 'sgdd' };
  expect(() => FusedOptimizer.fromConfig(FusedOptimizer, unknown)).toThrow('rule is "sgdd"; there are sgd');
});
