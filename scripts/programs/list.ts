import type { Change } from './changes.js';

/** A program of github.com/tensorflow/tfjs-examples, and the line of it that is changed. */
export interface Program {
  /** Its folder. */
  readonly name: string;
  /** What is run. Default `index.js`. */
  readonly start?: string;
  /** The file whose line is changed. Default: what is run. */
  readonly file?: string;
  /** What is replaced, each once, and by what. */
  readonly lines: readonly Change[];
  /** How many steps are made until it is stopped; no more than it makes by itself. */
  readonly steps: number;
  /** What of its page is clicked to start it, in turn; it starts by itself if nothing is. */
  readonly clicks?: readonly Click[];
  /** Values of inputs of its page, by their ids, to make it smaller. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Options of its command line, to make it smaller; those of a program for Node, which is run in a page here. */
  readonly args?: Readonly<Record<string, unknown>>;
  /** Changes of other lines, in both runs, by files: to make it smaller, or to let a program for Node run in a page. */
  readonly edits?: Readonly<Record<string, readonly Change[]>>;
}

export interface Click {
  readonly id: string;
  /** Text that the page must show before. */
  readonly when?: string;
  /** Pressed and released, in place of clicked. */
  readonly isPress?: true;
}

const ours = (rule: string, lr: number | string, more = ''): string =>
  `new FusedOptimizer(rules.${rule}({ ...conventions.tfjs.${rule}, lr: ${lr}${more} }))`;
const clicks = (...ids: readonly string[]): readonly Click[] => ids.map((id) => ({ id }));
const IS_MAIN: Change = ['require.main === module', 'true'];
const SMALL_MNIST: readonly Change[] = [
  ['const NUM_DATASET_ELEMENTS = 65000', 'const NUM_DATASET_ELEMENTS = 260'],
  ['const chunkSize = 5000', 'const chunkSize = 65'],
];

/** Those that train, and can be run without the network: what they load is stood in for, see `data.ts` and `models.ts`. */
export const PROGRAMS: readonly Program[] = [
  {
    name: 'getting-started',
    lines: [["optimizer: 'sgd'", `optimizer: ${ours('sgd', 0.01)}`]],
    steps: 250,
  },
  {
    name: 'polynomial-regression',
    lines: [['tf.train.sgd(learningRate)', ours('sgd', 'learningRate')]],
    steps: 40,
  },
  {
    name: 'polynomial-regression-core',
    lines: [['tf.train.sgd(learningRate)', ours('sgd', 'learningRate')]],
    steps: 75,
  },
  {
    name: 'iris',
    lines: [['tf.train.adam(params.learningRate)', ours('adam', 'params.learningRate')]],
    steps: 160,
    clicks: clicks('train-from-scratch'),
  },
  {
    name: 'iris-fitDataset',
    lines: [['tf.train.adam(params.learningRate)', ours('adam', 'params.learningRate')]],
    steps: 40,
    clicks: [{ id: 'train-from-scratch', when: 'Standing by.' }],
  },
  {
    name: 'addition-rnn',
    lines: [["optimizer: 'adam'", `optimizer: ${ours('adam', 0.001)}`]],
    steps: 8,
    clicks: clicks('trainModel'),
    inputs: { trainingSize: '600', rnnLayerSize: '16', batchSize: '64' },
  },
  {
    name: 'boston-housing',
    lines: [['tf.train.sgd(LEARNING_RATE)', ours('sgd', 'LEARNING_RATE')]],
    steps: 40,
    clicks: [{ id: 'nn-mlr-2hidden', when: 'Baseline loss (meanSquaredError) is' }],
  },
  {
    name: 'website-phishing',
    lines: [["optimizer: 'adam'", `optimizer: ${ours('adam', 0.001)}`]],
    steps: 10,
  },
  {
    name: 'data-generator',
    lines: [["optimizer: 'rmsprop'", `optimizer: ${ours('rmsprop', 0.001)}`]],
    steps: 20,
    clicks: clicks('train-model-using-fit-dataset'),
    inputs: { 'generator-batch': '20', 'batches-per-epoch': '20' },
    // Not there, and not used.
    edits: { 'ui.js': [["import {gameToFeaturesAndLabel} from '.';", '']] },
  },
  {
    name: 'jena-weather',
    file: 'models.js',
    lines: [["optimizer: 'rmsprop'", `optimizer: ${ours('rmsprop', 0.001)}`]],
    steps: 10,
    clicks: [{ id: 'train-model', when: 'Done rendering chart.' }],
    edits: { 'models.js': [['const TRAIN_MAX_ROW = 200000', 'const TRAIN_MAX_ROW = 3000']] },
  },
  {
    name: 'mnist',
    lines: [["const optimizer = 'rmsprop'", `const optimizer = ${ours('rmsprop', 0.001)}`]],
    steps: 3,
    clicks: clicks('train'),
    edits: {
      'data.js': [...SMALL_MNIST, ['const NUM_TRAIN_ELEMENTS = 55000', 'const NUM_TRAIN_ELEMENTS = 130']],
      'index.js': [
        ['const batchSize = 320', 'const batchSize = 16'],
        ['const testExamples = 100', 'const testExamples = 10'],
      ],
    },
  },
  {
    name: 'mnist-core',
    file: 'model.js',
    lines: [['tf.train.sgd(LEARNING_RATE)', ours('sgd', 'LEARNING_RATE')]],
    steps: 4,
    edits: { 'data.js': SMALL_MNIST, 'model.js': [['const BATCH_SIZE = 64', 'const BATCH_SIZE = 16']] },
  },
  {
    name: 'mnist-transfer-cnn',
    lines: [['tf.train.adam(0.01)', ours('adam', 0.01)]],
    steps: 3,
    clicks: clicks('load-pretrained-remote', 'retrain'),
    inputs: { epochs: '3' },
    // In a module, `this` is nothing.
    edits: { 'util.js': [['this.indexToOneHot(', 'indexToOneHot(']] },
  },
  {
    name: 'webcam-transfer-learning',
    lines: [['tf.train.adam(ui.getLearningRate())', ours('adam', 'ui.getLearningRate()')]],
    steps: 10,
    clicks: [
      ...['up', 'down', 'left', 'right', 'up', 'down'].map((id) => ({ id, isPress: true as const })),
      { id: 'train' },
    ],
  },
  {
    name: 'cart-pole',
    file: 'ui.js',
    lines: [['tf.train.adam(learningRate)', ours('adam', 'learningRate')]],
    steps: 2,
    clicks: clicks('create-model', 'train'),
    inputs: {
      'hidden-layer-sizes': '16',
      'num-iterations': '4',
      'games-per-iteration': '2',
      'max-steps-per-game': '8',
    },
  },
  {
    name: 'lstm-text-generation',
    file: 'model.js',
    lines: [['tf.train.rmsprop(learningRate)', ours('rmsprop', 'learningRate')]],
    steps: 4,
    clicks: clicks('load-text-data', 'create-or-load-model', 'train-model'),
    inputs: { 'lstm-layer-sizes': '16', 'examples-per-epoch': '64', 'batch-size': '16' },
  },
  {
    name: 'abalone-node',
    start: 'train.js',
    file: 'model.js',
    lines: [['tf.train.sgd(0.01)', ours('sgd', 0.01)]],
    steps: 30,
    args: { batch_size: 100 },
    // Else in an order that the clock decides.
    edits: {
      'train.js': [
        ["createDataset('file://' + csvPath)", "createDataset('/abalone.csv')"],
        ['.shuffle(1000)', ".shuffle(1000, '1')"],
      ],
    },
  },
  {
    name: 'baseball-node',
    start: 'train_pitch_type.js',
    file: 'pitch_type.js',
    lines: [['tf.train.adam()', ours('adam', 0.001)]],
    steps: 10,
    edits: {
      'pitch_type.js': [
        ['.shuffle(TRAINING_DATA_LENGTH)', ".shuffle(TRAINING_DATA_LENGTH, '1')"],
        ['.batch(100)', '.batch(30)'],
      ],
    },
  },
  {
    name: 'mnist-acgan',
    start: 'gan.js',
    lines: [
      [
        'optimizer: tf.train.adam(args.learningRate, args.adamBeta1)',
        `optimizer: ${ours('adam', 'args.learningRate', ', betas: [args.adamBeta1, 0.999]')}`,
      ],
      [
        'optimizer = tf.train.adam(args.learningRate, args.adamBeta1)',
        `optimizer = ${ours('adam', 'args.learningRate', ', betas: [args.adamBeta1, 0.999]')}`,
      ],
    ],
    steps: 4,
    args: { batchSize: 4 },
    edits: { 'gan.js': [IS_MAIN] },
  },
  {
    name: 'fashion-mnist-vae',
    start: 'train.js',
    lines: [['tf.train.adam()', ours('adam', 0.001)]],
    steps: 4,
    // It waits for nothing until it is through.
    args: { batchSize: 16, epochs: 1 },
    // Pictures on a terminal.
    edits: {
      'train.js': [
        ['await previewImage(images[5]);', ''],
        ['await previewImage(images[50]);', ''],
        ['await previewImage(images[500]);', ''],
        ['await previewImage(generated.dataSync());', ''],
      ],
    },
  },
  {
    name: 'sentiment',
    start: 'train.js',
    lines: [['optimizer: args.optimizer', `optimizer: ${ours('adam', 0.001)}`]],
    steps: 6,
    args: { modelType: 'cnn', numWords: 200, maxLen: 20, embeddingSize: 16, batchSize: 8 },
    edits: { 'train.js': [IS_MAIN] },
  },
  {
    name: 'simple-object-detection',
    start: 'train.js',
    lines: [
      ['tf.train.rmsprop(5e-3)', ours('rmsprop', 5e-3)],
      ['tf.train.rmsprop(2e-3)', ours('rmsprop', 2e-3)],
    ],
    steps: 6,
    args: { numExamples: 5, batchSize: 2, initialTransferEpochs: 1, fineTuningEpochs: 1 },
  },
];
