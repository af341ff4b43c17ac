/** docs/rules.md, from the registry and its comments. */
import { allRuleFactories } from './all-rules.js';
import { STATE_DTYPES, type StateDtype } from '../../src/codecs/state-dtype.js';
import { isElementwise, layoutOf } from '../../src/kernel/rule-layout.js';
import { withSettings } from '../../src/rules/rule.js';
import { commonOptions } from '../../src/rules/options/common-options.js';
import { paragraphsOf } from './doc-comments.js';
import { optionComments } from './option-comments.js';
import { ruleComment } from './rule-comment.js';

const INTRODUCTION = `# Rules

Every optimizer: its equation, its options and the state that it keeps per element. g is the gradient, w the weight, η the
learning rate, d the weight decay, t the number of applied steps from 1; state starts at 0 unless an option says otherwise.
How other libraries' optimizers are written as options of these is on [another page](conventions.md).

This page is made from the comments in [src/rules](../src/rules) and from the declarations: \`npm run docs\`.`;

/** Bytes that a step moves of a weight, which is read and written, and of its gradient. */
const WEIGHT_AND_GRADIENT = 12;

const MEMORY = `Bytes per weight, with each rule's default options: those of the state, and those that the pass moves which updates weights,
weight and gradient among them.
\`stateDtype: 'bf16'\` keeps 8 bits of a float32's 24, rounded to the nearest at each step. What moves by less than 1/512 of itself in a step
stays as it is then, and what moves by less than 1/256 may: at β₂ 0.999 \`exp_avg_sq\` never falls, nor does Adamax's \`exp_inf\`; at β₂ 0.99 and below
they do.

\`'int8'\` and \`'int4'\` keep 64 elements together: the largest of them as it is, and of each the nearest of 255 or 15 levels of that, which are
finer near 0; state that is never below 0, as squares of gradients, has 256 or 16, of 8 bits the fourth powers of even ones, of 4 bits the squares, and
what is above 0 is kept above 0. So in a step of β₂ 0.999 \`exp_avg_sq\` falls with the largest of the 64, but of two elements that stand still the
ratio stays. A NaN or an infinity makes all 64 NaN, and 64 that are all below 2⁻¹¹⁰, or of fourth powers 2⁻⁹⁴, are zeros. Of a tensor whose length is no
multiple of 64, the last ones count as 64. With a \`rowMask\`, a sparse gradient or \`constraint: 'unit-rows'\`, rows are multiples of 64, so that rows
that are left alone keep their bits. Why these levels, what each dtype costs in training, and in time: [Fewer bits](memory.md).

Sums over all steps stay float32, and so do averages of the weights: with \`ema\` and the like, 4 bytes are kept and 8 moved on top.
Of weights of 2 bytes, a step moves 4 fewer; \`masterWeights: 'f32'\` keeps 4 more and moves 8, \`'split'\` 1 and 2.`;

/** What other passes move is no number per weight: matrices are multiplied. */
const EARLIER = `The table leaves out earlier passes: ${allRuleFactories
  .filter(([, factory]) => layoutOf(factory()).tensor ?? factory.declaration.matrix)
  .map(([name]) => `\`${name}\``)
  .join(
    ', ',
  )} first read weights, gradients and state to measure tensors, or to make directions of matrices.`;

/** What is to be known of some rules before one is chosen. */
const CHOICES = `\`muon\` steps matrices: its parameters have a \`shape\` of two or more axes, the first one for the rows. The products that it takes are
done on the GPU, and are deterministic as all else is. \`muon({ others: adamw({ lr: 3e-4 }) })\` steps what is no matrix by another rule: one
optimizer, one step, one state dict. Groups with \`others: true\` go by that rule, too, and take its options; embeddings and the last layer should.

\`adafactor\` keeps second moments of matrices by rows and columns, and of all else by elements. Options of a group are for both. \`matrixRules\`
lists the rules of matrices, \`rules\` all others.

\`lars\`, \`lamb\` and \`novograd\` measure each tensor as a whole before they update it. Their \`weightDecayMode\` is \`'update'\` by default: decay is
part of what is scaled.

Libraries disagree on formulas, so the choices are explicit: \`epsPlacement\` (\`'outside'\` √v̂+ε, \`'inside'\` √(v̂+ε), \`'hat'\` as TensorFlow and
Keras), \`lrInVelocity\` (v=λv−ηg; w+=v, or v=λv+g; w−=ηv), \`weightDecayMode\` (\`'l2'\` g+=dw, \`'decoupled'\` w−=ηdw, \`'raw'\` w−=dw).
\`conventions\` has them set as [other libraries](conventions.md) do.`;

/** Every rule has these, and means the same by them. */
const COMMON = commonOptions(0);

const inline = (value: unknown): string =>
  `\`${typeof value === 'string' ? `'${value}'` : JSON.stringify(value).replaceAll(',', ', ')}\``;

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** A table of Markdown. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** In a table, `|` would end the cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|');

/** The paragraphs and equations of a comment as Markdown, in their order. */
const toMarkdown = (comment: string): string =>
  comment
    .split(/\n\s*\n/)
    .filter((block) => !block.startsWith('@'))
    .map((block) =>
      block.startsWith('    ')
        ? `\`\`\`text\n${block.replaceAll(/^ {4}/gm, '')}\n\`\`\``
        : block.replaceAll(/\s*\n\s*/g, ' ').trim(),
    )
    .join('\n\n');

type Factory = (typeof allRuleFactories)[number][1];

const stateOf = ({ declaration }: Factory): string =>
  declaration.slots.map(({ name, usedBy }) => (usedBy ? `(\`${name}\`)` : `\`${name}\``)).join(', ') ||
  'none';

async function section([name, factory]: (typeof allRuleFactories)[number]): Promise<string> {
  const comments = await optionComments(name);
  const options = Object.entries(factory.declaration.options);
  const differs = ([option, spec]: (typeof options)[number]): boolean =>
    option === 'lr' || COMMON[option as keyof typeof COMMON]?.default !== spec.default;
  return [
    `## ${name}`,
    toMarkdown(await ruleComment(name)),
    table(
      ['option', 'default', 'allowed', ''],
      options
        .filter(differs)
        .map(([option, spec]) => [
          `\`${option}\``,
          inline(spec.default),
          cell(spec.range),
          cell(option in COMMON ? '' : comments(option)),
        ]),
    ),
  ].join('\n\n');
}

/** Bytes of state per weight; tensors have the numbers of which they have one beside it. Undefined of a dtype that the rule does not take. */
export function bytesKept(factory: Factory, stateDtype: StateDtype): number | undefined {
  const { slots } = layoutOf(withSettings(factory(), { stateDtype }));
  const elementwise = slots.filter(isElementwise);
  if (stateDtype !== 'f32' && elementwise.every(({ codec }) => codec.name === 'f32')) return undefined;
  return elementwise.reduce((sum, { codec }) => sum + codec.blockByteLength / codec.blockLength, 0);
}

const bytesMoved = (kept: number): number => WEIGHT_AND_GRADIENT + 2 * kept;

function memoryTable(): string {
  const cells = (kept: number | undefined): string[] =>
    kept === undefined ? ['', ''] : [String(kept), String(bytesMoved(kept))];
  return table(
    ['rule', ...STATE_DTYPES.flatMap((dtype) => [`${dtype}: kept`, `${dtype}: moved`])],
    allRuleFactories.map(([name, factory]) => [
      `[\`${name}\`](#${name.toLowerCase()})`,
      ...STATE_DTYPES.flatMap((dtype) => cells(bytesKept(factory, dtype))),
    ]),
  );
}

/** The Markdown of docs/rules.md. */
export async function rulesPage(): Promise<string> {
  const comments = await optionComments('');
  return (
    [
      INTRODUCTION,
      '## Overview',
      'State in parentheses is kept only if an option needs it.',
      await overview(),
      CHOICES,
      '## Options of every rule',
      table(
        ['option', 'default', 'allowed', ''],
        Object.entries(COMMON).map(([option, spec]) => [
          `\`${option}\``,
          option === 'lr' ? "the rule's" : inline(spec.default),
          cell(spec.range),
          cell(comments(option)),
        ]),
      ),
      '## Memory',
      MEMORY,
      memoryTable(),
      EARLIER,
      ...(await Promise.all(allRuleFactories.map(section))),
    ].join('\n\n') + '\n'
  );
}

/** What each rule is, its learning rate unless given, and its state. */
async function overview(): Promise<string> {
  const rows = allRuleFactories.map(async ([name, factory]) => {
    // A full stop after "et al" is no end.
    const [sentence] = paragraphsOf(await ruleComment(name))[0]!.split(/(?<! al)\.(?:\s|$)/u);
    const lr = String(factory.declaration.options.lr.default);
    return [`[\`${name}\`](#${name.toLowerCase()})`, cell(sentence!), lr, stateOf(factory)];
  });
  return table(['rule', 'what it is', 'lr', 'state per element'], await Promise.all(rows));
}
