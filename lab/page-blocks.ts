/** The JavaScript of a page of Markdown: what tests run, and what the playground shows. */

/** A block of a page's program. */
export interface PageBlock {
  readonly code: string;
  /** The line of the page that it begins at, 1-based: that of its fence. */
  readonly line: number;
}

/** A block that is a file of its own, ```` ```js [worker.js] ````, and no part of the program. */
export interface PageFile {
  readonly name: string;
  readonly code: string;
}

/** What is to be run of a page. */
export interface PageProgram {
  /** The blocks ```` ```js ````, in their order. */
  readonly blocks: readonly PageBlock[];
  readonly files: readonly PageFile[];
  /** What the program is given beside a device: names in the page's comment `<!-- given: a, b -->`. */
  readonly given: readonly string[];
}

/** @param markdown the text of a page. */
export function programIn(markdown: string): PageProgram {
  const fenced = [...markdown.matchAll(/^```js(?: \[([^\]\n]*)\])?\n(.*?)^```$/gms)].map((match) => ({
    name: match[1],
    code: match[2]!,
    line: markdown.slice(0, match.index).split('\n').length,
  }));
  const [, listed = ''] = /<!-- given: (.*) -->/.exec(markdown) ?? [];
  return {
    blocks: fenced.flatMap(({ name, code, line }) => (name === undefined ? [{ code, line }] : [])),
    files: fenced.flatMap(({ name, code }) => (name === undefined ? [] : [{ name, code }])),
    given: listed.split(', ').filter((name) => name !== ''),
  };
}
