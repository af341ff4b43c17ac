/** docs/programs.md: rows of its tables that a run has found, in place of those that were there. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { JAX_PROGRAMS } from './jax-list.js';
import { PROGRAMS } from './list.js';

const PAGE = fileURLToPath(new URL('../../docs/programs.md', import.meta.url));

const HEAD = `# Published programs, with one line changed

<!-- Made by \`npm run programs -- <folder> --write\` from scripts/programs; change it there. -->

\`npm run programs -- <folder>\` runs published programs in headless Chrome, each twice: once with its own optimizer, and once with
ours, with the same rule and options, which changes one line. Both runs have the same random numbers. Most programs are made smaller, so
that they take seconds on a software adapter; all such changes are in [list.ts](../scripts/programs/list.ts) and
[jax-list.ts](../scripts/programs/jax-list.ts). The programs themselves stay where they are: the folder is a clone.

The runs have no network. Where the last column says *stand-in*, random data of the same shapes take the place of what the program
downloads ([data.ts](../scripts/programs/data.ts)), and small networks take the place of pretrained ones
([models.ts](../scripts/programs/models.ts)). Then the losses show only that both optimizers do the same.

- **difference**: the largest of all losses, |ours − its own| ÷ |its own|.
- **buffers of ours**: GPU buffers that this package made, at the end of the first step (with several optimizers: the first step of the
  last one) and at the end of the last step.
- **errors**: those on the page's console that come only with our optimizer.
`;

const COLUMNS = (value: string, alive: string): string =>
  `| program | steps | ${value} | difference | ${alive}, its own | ${alive}, ours | buffers of ours | errors | data |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |`;

const TFJS = `
## TensorFlow.js

Of [tfjs-examples](https://github.com/tensorflow/tfjs-examples), with the options of \`conventions.tfjs\`. Programs for Node are run in a
page. **Tensors**: \`tf.memory().numTensors\` at the end of the first step and at the end of the last one. Growth comes from what the
program itself keeps.

${COLUMNS('loss', 'tensors')}
`;

const JAX = `
Not in the table: \`translation\` (it trains from a file that is not part of it), \`intent-classifier\` (it needs the Universal Sentence
Encoder), \`addition-rnn-webworker\` (as \`addition-rnn\`, in a worker), what has not been tried yet (\`snake-dqn\`, \`date-conversion-attention\`,
\`quantization\`, \`mnist-node\`), and the examples that do not train.

## jax-js

Of [jax-js](https://github.com/ekzhang/jax-js), with \`fusedTransformation\` in place of its optax: the examples of its editor that train,
and its page for digits. All numbers that a program reads are compared; **GPU buffers** are those of jax-js.

${COLUMNS('first → last number', 'GPU buffers')}
`;

/** @param row of the program of that name. */
export function writeRow(name: string, row: string): void {
  const known = existsSync(PAGE) ? readFileSync(PAGE, 'utf8').split('\n') : [];
  const rowsOf = (programs: readonly { readonly name: string }[]): string =>
    programs
      .flatMap((one) =>
        one.name === name ? row : (known.find((line) => line.startsWith(`| ${one.name} |`)) ?? []),
      )
      .map((line) => `${line}\n`)
      .join('');
  writeFileSync(PAGE, `${HEAD}${TFJS}${rowsOf(PROGRAMS)}${JAX}${rowsOf(JAX_PROGRAMS)}`);
}
