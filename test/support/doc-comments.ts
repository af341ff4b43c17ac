import { type ESTree, parseSync } from 'vite';

/** An exported constant or interface. */
export interface ExportedDeclaration {
  readonly name: string;
  /** What its comment precedes. */
  readonly statement: ESTree.Node;
  /** The interface, or the value of the constant. */
  readonly node: ESTree.Node;
}

/** A parsed TypeScript file, asked for the comments of what it declares. */
export class DocumentedSource {
  readonly #source: string;
  readonly #comments: { readonly text: string; readonly end: number }[];
  readonly #program: ESTree.Program;

  constructor(fileName: string, source: string) {
    const { program, comments } = parseSync(fileName, source);
    this.#source = source;
    this.#program = program;
    this.#comments = comments
      .filter(({ type, value }) => type === 'Block' && value.startsWith('*'))
      .map(({ value, end }) => ({ text: value, end }));
  }

  /**
   * The documentation comment right before a node, without its stars.
   *
   * @throws Error if there is none.
   */
  commentOf(node: { readonly start: number }): string {
    const comment = this.#comments.find(
      ({ end }) => end <= node.start && this.#source.slice(end, node.start).trim() === '',
    );
    if (!comment) throw new Error(`no comment before ${this.#source.slice(node.start, node.start + 60)}`);
    return comment.text
      .replaceAll(/^[ \t]*\*+ ?/gm, '')
      .replaceAll(/\{@link (\w+)\}/g, '`$1`')
      .trim();
  }

  /** The exported constants and interfaces. */
  exports(): ExportedDeclaration[] {
    return this.#program.body.flatMap((statement): ExportedDeclaration[] => {
      if (statement.type !== 'ExportNamedDeclaration') return [];
      const { declaration } = statement;
      if (declaration?.type === 'TSInterfaceDeclaration')
        return [{ name: declaration.id.name, statement, node: declaration }];
      if (declaration?.type !== 'VariableDeclaration') return [];
      return declaration.declarations.flatMap(({ id, init }) =>
        id.type === 'Identifier' && init ? [{ name: id.name, statement, node: init }] : [],
      );
    });
  }

  /** The source text of a node. */
  text(node: { readonly start: number; readonly end: number }): string {
    return this.#source.slice(node.start, node.end);
  }
}

/** Paragraphs of a comment, each on one line; indented blocks are left out. */
export function paragraphsOf(comment: string): string[] {
  return comment
    .split(/\n\s*\n/)
    .filter((block) => !block.startsWith('    '))
    .map((block) => block.replaceAll(/\s*\n\s*/g, ' ').trim());
}

/** The indented blocks of a comment, as they stand but for the indentation. */
export function codeOf(comment: string): string[] {
  return comment
    .split(/\n\s*\n/)
    .filter((block) => block.startsWith('    '))
    .map((block) => block.replaceAll(/^ {4}/gm, ''));
}
