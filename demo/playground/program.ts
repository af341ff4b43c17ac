import { parser } from '@lezer/javascript';

/** Where the modules are that a program imports. */
export interface ModuleAddresses {
  /** What `'webgpu-optim'` stands for. */
  readonly library: string;
  /** What has `show(line, values, names?)`; see runtime.ts. */
  readonly runtime: string;
}

/** A program that cannot be run; `line` is 1-based. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  constructor(
    message: string,
    readonly line: number,
  ) {
    super(message);
  }
}

type Tree = ReturnType<typeof parser.parse>;
type Node = Tree['topNode'];

/** Some text in place of a part of a program. */
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** A comment that tells what a statement gives: a number, a text, a list. */
const VALUE = /^\/\/\s*(?:about )?(?:[-\d'"[{]|true\b|false\b|NaN\b|-?Infinity\b|undefined\b)/u;

/**
 * The module that a program is run as, line for line: its imports lead to where the modules are, and what a statement gives is
 * shown where a comment behind it is a value.
 *
 * @throws ProgramError if it is no JavaScript, or imports what is not there.
 */
export function makeProgram(code: string, { library, runtime }: ModuleAddresses): string {
  const edits: Edit[] = [];
  const lineOf = (position: number): number => code.slice(0, position).split('\n').length;
  parser.parse(code).iterate({
    enter({ type, from, to, node }) {
      if (type.isError) throw new ProgramError('This is no JavaScript', lineOf(from));
      if (type.name === 'ImportDeclaration' || type.name === 'ExportDeclaration') {
        const source = node.getChild('String');
        if (source) edits.push({ from: source.from, to: source.to, text: addressOf(source) });
      } else if (type.name === 'LineComment' && VALUE.test(code.slice(from, to))) {
        edits.push(...shown(code, node, lineOf(from)));
      }
    },
  });
  let result = code;
  for (const { from, to, text } of edits.toSorted((a, b) => b.from - a.from)) {
    result = result.slice(0, from) + text + result.slice(to);
  }
  return `import { show as $show } from ${JSON.stringify(runtime)};${result}`;

  function addressOf({ from, to }: Node): string {
    const text = code.slice(from, to);
    if (text.slice(1, -1) === 'webgpu-optim') return JSON.stringify(library);
    throw new ProgramError(`There is no ${text} here; import from 'webgpu-optim'`, lineOf(from));
  }
}

/** What shows the values of the statement in front of a comment, on its line. */
function shown(code: string, comment: Node, line: number): Edit[] {
  const statement = comment.prevSibling;
  if (!statement || !/^[ \t]*$/u.test(code.slice(statement.to, comment.from))) return [];
  if (statement.name === 'VariableDeclaration') {
    const names = namesIn(statement).map(({ from, to }) => code.slice(from, to));
    const text = ` $show(${line}, [${names.join(', ')}], ${JSON.stringify(names)});`;
    return [{ from: statement.to, to: statement.to, text }];
  }
  const expression = statement.name === 'ExpressionStatement' ? statement.firstChild : null;
  // What is logged is shown in any case.
  if (!expression || code.startsWith('console.', expression.from)) return [];
  return [
    { from: expression.from, to: expression.from, text: `$show(${line}, [` },
    { from: expression.to, to: expression.to, text: '])' },
  ];
}

/** The names that a declaration gives a value: all in front of its `=`. */
function namesIn(declaration: Node): Node[] {
  const end = declaration.getChild('Equals')?.from ?? declaration.to;
  const names: Node[] = [];
  declaration.cursor().iterate(({ name, from, node }) => {
    if (name === 'VariableDefinition' && from < end) names.push(node);
  });
  return names;
}
