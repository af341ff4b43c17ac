import { type LibraryName, conventions } from '../../src/conventions.js';
import type { MatrixRuleName } from '../../src/rules/matrix-registry.js';
import type { RuleName } from '../../src/rules/registry.js';
import { allRuleFactories } from './all-rules.js';
import { commonOptions } from '../../src/rules/options/common-options.js';
import { type GoldenCase, goldenCases } from '../fixtures/golden/index.js';
import { codeOf, paragraphsOf } from './doc-comments.js';
import { optionComments } from './option-comments.js';
import { readSource, ruleComment } from './rule-comment.js';

const INTRODUCTION = `# Conventions

What libraries mean by the same names, as options of the rules here:

\`\`\`js
import { conventions, rmsprop } from 'webgpu-optim';

const rule = rmsprop({ ...conventions.keras.rmsprop, lr: 1e-3 });
\`\`\`

A row of a table is the option object \`conventions.<library>.<rule>\`: the library's defaults, and the switches that give
its formula. A dash is what the library leaves to its user, or has no say in; then the rule's own default holds. How
each was checked is said below its table: by *runs* of the library itself in float64 (or, where it says *recomputed*, of
its formula written down once more), matched to 5.2e-14 a step after the first and the sixth, but for muon, whose iterations let roundings grow, to 1.2e-11 a step of size 1, and by *others* of
test/fixtures/golden, mostly numbers that the library's own tests print. Every value that differs between two libraries
is told apart by one of those runs.

This page is made from the comments in [src/rules](../src/rules) and [src/conventions](../src/conventions) and from the
options themselves: \`npm run docs\`.`;

const COMMON = Object.keys(commonOptions(0));

type Options = Readonly<Record<string, unknown>>;

/** One library, with its comments. */
interface Library {
  readonly name: LibraryName;
  /** E.g. `PyTorch 2.13.0`. */
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly options: Readonly<Record<string, Options>>;
  /** The paragraphs about a rule. */
  readonly about: (rule: string) => readonly string[];
}

async function readLibrary(name: LibraryName): Promise<Library> {
  const source = await readSource(`src/conventions/${name}.ts`);
  const { statement, node } = source.exports().find((exported) => exported.name === name)!;
  const paragraphs = paragraphsOf(source.commentOf(statement));
  const literal = node.type === 'CallExpression' ? node.arguments[0] : undefined;
  const properties = literal?.type === 'ObjectExpression' ? literal.properties : [];
  const about = new Map(
    properties.map((property) => [
      property.type === 'Property' ? source.text(property.key) : '',
      paragraphsOf(source.commentOf(property)),
    ]),
  );
  return {
    name,
    title: paragraphs[0]!.split(/[,.] |\.$|,/)[0]!,
    paragraphs,
    options: conventions[name],
    about: (rule) => about.get(rule)!,
  };
}

function cell(value: unknown): string {
  if (value === undefined) return '—';
  if (typeof value === 'number' && value > 0 && value < 1e-3) return value.toExponential();
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll(',', ', ');
}

/** What all rows agree on in one sentence, and a table of the rest. */
function optionTable(
  rule: RuleName | MatrixRuleName,
  names: readonly string[],
  libraries: readonly Library[],
): string {
  const stated = libraries.map(({ options }) => options[rule]!);
  const valuesOf = (name: string) => new Set(stated.map((options) => cell(options[name])));
  const used = names.filter((name) => valuesOf(name).size > 1 || !valuesOf(name).has('—'));
  const alike = used.filter((name) => valuesOf(name).size === 1);
  const columns = used.filter((name) => valuesOf(name).size > 1);
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    row(['', ...columns]),
    row(['---', ...columns.map(() => '---')]),
    ...libraries.map(({ title, name, options }) =>
      row([`${title} (\`${name}\`)`, ...columns.map((column) => cell(options[rule]![column]))]),
    ),
    '',
    `Alike in all: ${alike.map((name) => `${name} ${[...valuesOf(name)].join()}`).join(', ')}.`,
  ].join('\n');
}

/** Which golden cases hold an entry to its library. */
function checks(library: LibraryName, rule: RuleName | MatrixRuleName): string {
  const ofRule = goldenCases.filter((golden) => golden.rule === rule);
  const runs = ofRule.filter(({ convention }) => convention === library);
  const label = ({ name }: GoldenCase) => name.split('/').at(-1)!.replace('recorded-', '');
  const others = ofRule.filter(({ name, convention }) => !convention && name.startsWith(`${library}/`));
  const recomputed = runs.some(({ name }) => name.startsWith('recomputed/'));
  const parts = [`${recomputed ? 'recomputed' : 'runs'}: ${runs.map(label).join(', ')}`];
  if (others.length > 0) parts.push(`others: ${others.map(label).join(', ')}`);
  return `*Checked by ${parts.join('; ')}.*`;
}

/** What the comments say of some options of a rule. */
async function optionList(rule: string, names: readonly string[]): Promise<string> {
  const comments = await optionComments(rule);
  return names.map((name) => `- \`${name}\`: ${comments(name)}`).join('\n');
}

async function ruleSection(
  rule: RuleName | MatrixRuleName,
  names: string[],
  all: readonly Library[],
): Promise<string> {
  const libraries = all.filter(({ options }) => rule in options);
  const comment = await ruleComment(rule);
  const mentioned = names.filter(
    (name) => !COMMON.includes(name) && libraries.some(({ options }) => name in options[rule]!),
  );
  return [
    `## ${rule}`,
    paragraphsOf(comment)[0]!,
    ...codeOf(comment).map((block) => `\`\`\`text\n${block}\n\`\`\``),
    optionTable(rule, names, libraries),
    await optionList(rule, mentioned),
    libraries
      .map(
        (library) =>
          `- **${library.title}**: ${[...library.about(rule), checks(library.name, rule)].join(' ')}`,
      )
      .join('\n'),
  ]
    .filter((block) => block !== '')
    .join('\n\n');
}

/** The Markdown of docs/conventions.md. */
export async function conventionsPage(): Promise<string> {
  const libraries = await Promise.all((Object.keys(conventions) as LibraryName[]).map(readLibrary));
  const sections = allRuleFactories
    .filter(([rule]) => libraries.some(({ options }) => rule in options))
    .map(([rule, { declaration }]) => ruleSection(rule, Object.keys(declaration.options), libraries));
  return (
    [
      INTRODUCTION,
      '## Libraries',
      libraries.map(({ name, paragraphs }) => `- \`${name}\`: ${paragraphs.join(' ')}`).join('\n'),
      '## Options of every rule',
      await optionList('', COMMON),
      ...(await Promise.all(sections)),
      '',
    ]
      .join('\n\n')
      .trimEnd() + '\n'
  );
}
