/** A program of github.com/tensorflow/tfjs-examples, and the line of it that is changed. */
export interface Program {
  /** Its folder. */
  readonly name: string;
  /** What is replaced, and by what. It is in `index.js`, once. */
  readonly theirs: string;
  readonly ours: string;
  /** How many steps are made until it is stopped; no more than it makes by itself. */
  readonly steps: number;
  /** What of its page is clicked to start it; it starts by itself if nothing is. */
  readonly click?: string;
  /** Values of inputs of its page, by their ids, to make it smaller. */
  readonly inputs?: Readonly<Record<string, string>>;
}

/** Those whose data is in them or made by them: there is no network. */
export const PROGRAMS: readonly Program[] = [
  {
    name: 'getting-started',
    theirs: "optimizer: 'sgd'",
    ours: 'optimizer: new FusedOptimizer(rules.sgd({ ...conventions.tfjs.sgd, lr: 0.01 }))',
    steps: 250,
  },
  {
    name: 'polynomial-regression',
    theirs: 'tf.train.sgd(learningRate)',
    ours: 'new FusedOptimizer(rules.sgd({ ...conventions.tfjs.sgd, lr: learningRate }))',
    steps: 40,
  },
  {
    name: 'polynomial-regression-core',
    theirs: 'tf.train.sgd(learningRate)',
    ours: 'new FusedOptimizer(rules.sgd({ ...conventions.tfjs.sgd, lr: learningRate }))',
    steps: 75,
  },
  {
    name: 'iris',
    theirs: 'tf.train.adam(params.learningRate)',
    ours: 'new FusedOptimizer(rules.adam({ ...conventions.tfjs.adam, lr: params.learningRate }))',
    steps: 160,
    click: 'train-from-scratch',
  },
  {
    name: 'addition-rnn',
    theirs: "optimizer: 'adam'",
    ours: 'optimizer: new FusedOptimizer(rules.adam({ ...conventions.tfjs.adam, lr: 0.001 }))',
    steps: 8,
    click: 'trainModel',
    inputs: { trainingSize: '600', rnnLayerSize: '16', batchSize: '64' },
  },
];
