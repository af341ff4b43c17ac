import { listOf } from '../../scripts/terminal/command-line.js';
import type { Suite } from '../suite.js';

const RULES = ['adam', 'rmsprop', 'momentum'] as const;
const MODELS = ['dense-1e6', '500x100', 'digits-cnn', 'moby-dick'] as const;

/** Rules that TensorFlow.js has, too. */
export type TfjsRule = (typeof RULES)[number];

/** Something to be trained. */
export type TfjsModel = (typeof MODELS)[number];

/** Who makes the steps: TensorFlow.js itself, this library in it, or WebGPU's calls of that one alone, taken down before. */
export type TfjsContestant = 'tf.train' | 'FusedOptimizer' | 'bare';

/** A model with an optimizer. The same model has the same weights at first, whoever trains it, and the same batches. */
export interface TfjsRequest {
  readonly model: TfjsModel;
  readonly rule: TfjsRule;
  readonly contestant: TfjsContestant;
  /** Whether a step is the optimizer's alone, on gradients that stay, or forward and backward pass as well. */
  readonly kind: 'step' | 'training';
}

interface Given {
  readonly models: readonly TfjsModel[];
  readonly train: readonly TfjsModel[];
  readonly rules: readonly TfjsRule[];
}

export const tfjs: Suite<TfjsRequest, Given> = {
  description: 'FusedOptimizer against tf.train in TensorFlow.js: the optimizer alone, and training',
  rounds: 9,
  minMeasurementMs: 200,
  addOptions: (command) =>
    void command
      .option('--models <list>', 'models for the optimizer alone', listOf(MODELS), [
        'dense-1e6',
        '500x100',
        'digits-cnn',
      ])
      .option('--train <list>', 'models to be trained', listOf(MODELS), ['digits-cnn'])
      .option('--rules <list>', `of ${RULES.join(', ')}`, listOf(RULES), [...RULES]),
  heats: ({ models, train, rules }) => {
    const heat = (kind: TfjsRequest['kind'], model: TfjsModel, rule: TfjsRule) => {
      const names: TfjsContestant[] = [
        'FusedOptimizer',
        'tf.train',
        ...(kind === 'step' ? (['bare'] as const) : []),
      ];
      return {
        case: `${kind}, ${model}, ${rule}`,
        contestants: Object.fromEntries(
          names.map((contestant) => [contestant, { kind, model, rule, contestant }]),
        ),
        baselines: ['FusedOptimizer'],
      };
    };
    return [
      ...models.flatMap((model) => rules.map((rule) => heat('step', model, rule))),
      ...train.flatMap((model) => rules.map((rule) => heat('training', model, rule))),
    ];
  },
  plugins: async () => {
    const [{ digitsPlugin }, { mobyDickPlugin }] = await Promise.all([
      import('../../lab/tasks/digits-plugin.js'),
      import('../../lab/tasks/moby-dick-plugin.js'),
    ]);
    return [digitsPlugin(), mobyDickPlugin()];
  },
};
