/** Pages of Markdown as programs: `import run from '../../docs/page.md?program'`. */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programIn } from '../../lab/page-blocks.js';
import { ENTRY_POINTS } from './entry-points.js';
import { type ESTree, type Plugin, Visitor, parseSync } from 'vite';

const QUERY = /\.md\?program$/;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** What stands for packages that are not installed. */
const STAND_INS: Readonly<Record<string, string>> = { '@tensorflow/tfjs': 'tfjs-union.ts' };

/** Some text in place of a part of a program. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Makes a program of a page where one is imported with `?program`; what it imports of the package is the source. */
export function examplePagesPlugin(): Plugin {
  return {
    name: 'example-pages',
    enforce: 'pre',
    resolveId(source, importer) {
      const file = filePath(source);
      // A worker's query says how it is loaded.
      if (file !== undefined) return `${file}${source.slice(withoutQuery(source).length)}`;
      if (importer === undefined || !(QUERY.test(importer) || filePath(importer) !== undefined)) return null;
      const path = source in ENTRY_POINTS ? `../../src/${ENTRY_POINTS[source]}` : STAND_INS[source];
      return path === undefined ? null : fileURLToPath(new URL(path, import.meta.url));
    },
    load(id) {
      const file = filePath(id);
      if (file !== undefined) return fileOf(file);
      if (!QUERY.test(id)) return null;
      const path = withoutQuery(id);
      this.addWatchFile(path);
      return programOf(readFileSync(path, 'utf8'), path);
    },
  };
}

const withoutQuery = (id: string): string => id.split('?')[0]!;

/** Where a module would lie that is a block of a page: in the folder of the page. Undefined of any other. */
function filePath(id: string): string | undefined {
  const path = withoutQuery(id);
  const absolute = path.startsWith('/docs/') ? join(ROOT, path) : path;
  return absolute.startsWith(join(ROOT, 'docs/')) && absolute.endsWith('.js') ? absolute : undefined;
}

/** The block of that name on a page of that folder. */
function fileOf(path: string): string {
  const folder = dirname(path);
  const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
  const files = pages.flatMap((page) => programIn(readFileSync(join(folder, page), 'utf8')).files);
  const file = files.find(({ name }) => name === basename(path));
  if (!file) throw new Error(`no page in ${folder} has a block "js [${basename(path)}]".`);
  return file.code;
}

/**
 * A module that runs all JavaScript of a page, from the first block to the last one. A block sees the names of those before it, and may
 * declare them anew. Its function takes `device`, the names that the page lists in a comment `<!-- given: a, b -->`, and `check`, and
 * returns all that the blocks declared. Where a comment behind a statement is a value, `check` is called with what the statement made and
 * with the value, whose numbers are `near(number, tolerance)`. A block with a file's name, ```` ```js [worker.js] ````, is no part of the program.
 *
 * @throws Error with the page's name and line where a value is promised behind something else.
 */
export function programOf(markdown: string, page: string): string {
  const { blocks, given } = programIn(markdown);
  const names = new Set<string>();
  const imports: string[] = [];
  const bodies = blocks.map(({ code, line }) => {
    const place = `${page}:${line}`;
    const { program, comments, errors } = parseSync('example.js', code);
    if (errors.length > 0) throw new Error(`${place}: ${errors[0]!.message}`);
    const edits: Edit[] = checksOf(code, program, comments, page, line);
    for (const node of program.body) {
      if (node.type === 'ImportDeclaration') {
        imports.push(withoutCdn(code.slice(node.start, node.end)));
        edits.push({ start: node.start, end: node.end, text: '' });
      } else for (const name of declaredBy(node)) names.add(name);
    }
    return `// ${place}\n${edit(code, edits)}`;
  });
  return [
    ...new Set(imports.flatMap(splitImport)),
    `export default async function run({ ${['device', ...given].join(', ')} }, check, near) {`,
    ...bodies.map((body) => `{\n${body}`),
    `return { ${[...names].join(', ')} };`,
    '}'.repeat(bodies.length + 1),
  ].join('\n');
}

/** An import by the address that the package has on a CDN as one by its name. */
function withoutCdn(text: string): string {
  return text.replace(
    /'https:\/\/cdn\.jsdelivr\.net\/npm\/webgpu-optim@[\d.]+\/dist\/(.*)\.js'/,
    (address, path: string) => {
      const [name] = Object.entries(ENTRY_POINTS).find(([, source]) => source === `${path}.ts`) ?? [];
      return name === undefined ? address : `'${name}'`;
    },
  );
}

/** One import for each name, so that no name is imported twice. */
function splitImport(text: string): string[] {
  const [, names, from] = /^import \{([^}]*)\} from (.*?);?$/s.exec(text) ?? [];
  if (names === undefined) return [text];
  return names
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
    .map((name) => `import { ${name} } from ${from};`);
}

function edit(code: string, edits: readonly Edit[]): string {
  let edited = code;
  for (const { start, end, text } of edits.toSorted((a, b) => b.start - a.start)) {
    edited = edited.slice(0, start) + text + edited.slice(end);
  }
  return edited;
}

type Statement = ESTree.ExpressionStatement | ESTree.VariableDeclaration;

/** The calls of `check` for the values that comments promise. */
function checksOf(
  code: string,
  program: ESTree.Program,
  comments: readonly { readonly value: string; readonly start: number; readonly end: number }[],
  page: string,
  blockLine: number,
): Edit[] {
  const statements: Statement[] = [];
  new Visitor({
    ExpressionStatement: (node) => void statements.push(node),
    VariableDeclaration: (node) => void statements.push(node),
  }).visit(program);
  return comments.flatMap(({ value, start, end }): Edit[] => {
    const promised = promiseIn(value);
    if (promised === undefined) return [];
    const line = blockLine + code.slice(0, start).split('\n').length;
    const place = JSON.stringify(`${page}:${line}`);
    const statement = statements.find(
      (node) => node.end <= start && /^[ \t]*$/.test(code.slice(node.end, start)),
    );
    if (!statement)
      throw new Error(`${page}:${line}: the value "${value.trim()}" is behind no whole statement.`);
    if (statement.type === 'VariableDeclaration') {
      const made = statement.declarations.flatMap(({ id }) => namesIn(id)).join(', ');
      return [{ start: end, end, text: `\ncheck(${place}, [${made}], ${promised});` }];
    }
    const { expression } = statement;
    const isLog =
      expression.type === 'CallExpression' &&
      code.slice(expression.callee.start, expression.callee.end) === 'console.log';
    const made = isLog
      ? expression.arguments.map((node) => code.slice(node.start, node.end)).join(', ')
      : code.slice(expression.start, expression.end);
    return [{ start: statement.start, end: statement.end, text: `check(${place}, [${made}], ${promised});` }];
  });
}

/** A list of the values that a comment promises, as code in which numbers are `near(value, tolerance)`; undefined if it is no promise. */
function promiseIn(comment: string): string | undefined {
  const [, about, text] = /^\s*(about )?(.*?)(?: bytes)?\s*$/s.exec(comment)!;
  if (text === '') return undefined;
  const code = `([${text}])`;
  const { program, errors } = parseSync('promise.js', code);
  const [statement] = program.body;
  if (errors.length > 0 || statement?.type !== 'ExpressionStatement') return undefined;
  return literal(statement.expression, code, about !== undefined);
}

/** A literal as code; undefined if it is anything else. */
function literal(node: ESTree.Node, code: string, isAbout: boolean): string | undefined {
  const text = code.slice(node.start, node.end);
  const all = (nodes: readonly (ESTree.Node | null)[]): string[] | undefined => {
    const made = nodes.map((each) => (each ? literal(each, code, isAbout) : undefined));
    return made.every((each) => each !== undefined) ? made : undefined;
  };
  if (node.type === 'ParenthesizedExpression') return literal(node.expression, code, isAbout);
  if (node.type === 'UnaryExpression' && node.operator === '-' && node.argument.type === 'Literal') {
    return numeral(text, isAbout);
  }
  if (node.type === 'Identifier') return ['NaN', 'Infinity', 'undefined'].includes(text) ? text : undefined;
  if (node.type === 'Literal') return typeof node.value === 'number' ? numeral(text, isAbout) : text;
  if (node.type === 'ArrayExpression') {
    const entries = all(node.elements);
    return entries && `[${entries.join(', ')}]`;
  }
  if (node.type !== 'ObjectExpression') return undefined;
  const values = all(node.properties.map((each) => (each.type === 'Property' ? each.value : each)));
  const keys = node.properties.map((each) =>
    each.type === 'Property' ? code.slice(each.key.start, each.key.end) : '',
  );
  return values && `{ ${values.map((value, i) => `${keys[i]}: ${value}`).join(', ')} }`;
}

/** A number: exact in six digits, or, of those that are about right, in the digits that are there. */
function numeral(text: string, isAbout: boolean): string {
  const value = Number(text);
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e');
  const lastDigit = 10 ** (Number(exponent) - (mantissa!.split('.')[1]?.length ?? 0));
  // Float32 rounds in the eighth digit, and a few steps in the seventh.
  return `near(${text}, ${isAbout ? lastDigit / 2 : Math.abs(value) * 1e-6})`;
}

function declaredBy(node: ESTree.Node): string[] {
  if (node.type === 'VariableDeclaration') return node.declarations.flatMap(({ id }) => namesIn(id));
  if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') return [node.id!.name];
  return [];
}

/** The names that a pattern binds. */
function namesIn(pattern: ESTree.Node): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((each) =>
        namesIn(each.type === 'Property' ? each.value : each.argument),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((each) => (each ? namesIn(each) : []));
    case 'AssignmentPattern':
      return namesIn(pattern.left);
    case 'RestElement':
      return namesIn(pattern.argument);
    default:
      return [];
  }
}
