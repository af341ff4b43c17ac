/** The README's table of all rules, by families. */
import { allRuleFactories } from './all-rules.js';
import { bytesKept, table } from './rules-page.js';

/** The rules in a line each. */
const FAMILIES: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  [
    'plain',
    {
      sgd: 'gradient descent',
      momentum: 'with a velocity; Nesterov as an option',
      signum: 'only the sign of the averaged gradient',
      lion: 'the sign of a mix of two averages; small state',
    },
  ],
  [
    'scaled per weight',
    {
      adagrad: 'divides by the root of all squares so far',
      rmsprop: 'divides by the root of recent squares',
      adadelta: 'needs no learning rate',
      ftrl: 'for sparse, linear models',
    },
  ],
  [
    'Adam',
    {
      adam: 'averages of gradients and of their squares; AMSGrad as an option',
      adamw: 'Adam with decoupled weight decay: the usual choice',
      adamax: 'the largest gradient in place of the squares',
      nadam: "Adam with Nesterov's momentum",
      radam: 'Adam that needs no warm-up',
      adabelief: 'scales by how far gradients are from their average',
      yogi: 'forgets large gradients slowly',
      adan: 'Nesterov momentum from differences of gradients',
    },
  ],
  [
    'large batches',
    {
      lars: 'momentum, scaled per layer',
      lamb: 'Adam, scaled per layer',
      novograd: 'one second moment per layer',
    },
  ],
  [
    'no schedule',
    {
      scheduleFreeSgd: 'an average in place of a falling rate',
      scheduleFreeAdamw: 'the same, with the scaling of Adam',
    },
  ],
  [
    'matrices',
    {
      muon: 'makes the update of a matrix orthogonal',
      adafactor: 'second moments per row and column: almost no state',
    },
  ],
];

/** The table; each rule is in one family. */
export function ruleTable(): string {
  const factories = new Map<string, (typeof allRuleFactories)[number][1]>(allRuleFactories);
  const rows = FAMILIES.flatMap(([family, members]) =>
    Object.entries(members).map(([name, line], k) => {
      const factory = factories.get(name);
      if (!factory) throw new Error(`There is no rule "${name}", or it is in two families.`);
      factories.delete(name);
      return [
        k === 0 ? family : '',
        `[\`${name}\`](docs/rules.md#${name.toLowerCase()})`,
        line,
        String(bytesKept(factory, 'f32')),
      ];
    }),
  );
  if (factories.size > 0) throw new Error(`Add to the families: ${[...factories.keys()].join(', ')}.`);
  return table(['family', 'rule', 'in a line', 'bytes'], rows);
}
