import type { Change } from './changes.js';

/** An example of github.com/ekzhang/jax-js that trains, and the line of it that is changed. */
export interface JaxProgram {
  readonly name: string;
  /** A module, or a page of Svelte, whose script is run without the page. */
  readonly file: string;
  readonly lines: readonly Change[];
  /** What makes it smaller, in both runs. */
  readonly edits?: readonly Change[];
  /** What is run behind a page's script. */
  readonly run?: string;
}

const REPL = 'website/src/routes/repl';

/** The import of optax, and ours in the same shape. */
const importOf = (...rules: readonly string[]): Change => [
  `import { ${[...rules.filter((rule) => rule !== 'sgd'), 'applyUpdates', ...rules.filter((rule) => rule === 'sgd')].join(', ')} } from "@jax-js/optax";`,
  'import { applyUpdates, fusedTransformation } from "webgpu-optim/jax"; import { rules } from "webgpu-optim"; ' +
    rules
      .map((rule) => `const ${rule} = (lr: number) => fusedTransformation(rules.${rule}({ lr }));`)
      .join(' '),
];

const mnist = (model: 'MLP' | 'ConvNet', batchSize: number): JaxProgram => ({
  name: `mnist, ${model}`,
  file: 'website/src/routes/mnist/+page.svelte',
  lines: [importOf('adam')],
  edits: [
    [`batchSize = ${batchSize};`, 'batchSize = 16;'],
    ['epoch < 10;', 'epoch < 2;'],
  ],
  run: `changeModelType("${model}"); await run();`,
});

export const JAX_PROGRAMS: readonly JaxProgram[] = [
  {
    name: '32-tiny-neural-net',
    file: `${REPL}/32-tiny-neural-net.ts`,
    lines: [importOf('adam')],
    edits: [['if (step % 20 === 0)', '']],
  },
  {
    name: '33-logistic-regression',
    file: `${REPL}/33-logistic-regression.ts`,
    lines: [importOf('sgd')],
  },
  { name: '35-adam-vs-sgd', file: `${REPL}/35-adam-vs-sgd.ts`, lines: [importOf('adam', 'sgd')] },
  mnist('MLP', 1000),
  mnist('ConvNet', 250),
];
