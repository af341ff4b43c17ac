/** One realistic slip, and who should notice it. */
export interface Slip {
  /** The file it is made in. */
  readonly file: string;
  /** What stands there: text that occurs once in the file. */
  readonly find: string;
  /** What is written instead. */
  readonly replace: string;
  /**
   * Tests that should fail, the quickest first: `unit/arena` is test/unit/arena.test.ts; those of `gpu` and `nats` run in Node, of `e2e` in Chrome. Of a
   * large file only the tests that have some text in their names: `gpu/arena#is loaded`.
   */
  readonly noticedBy: readonly string[];
}

/** What stands there, what is written instead, and, if the file's tests are not the ones, those that should notice it. */
type Listed = readonly [find: string, replace: string, ...noticedBy: string[]];

/** Slips of one file. */
export function slipsIn(file: string, noticedBy: readonly string[], slips: readonly Listed[]): Slip[] {
  return slips.map(([find, replace, ...own]) => ({
    file,
    find,
    replace,
    noticedBy: own.length > 0 ? own : noticedBy,
  }));
}

/** The parts of a test's name. */
export function partsOf(test: string): { readonly path: string; readonly title: string | undefined } {
  const [name, title] = test.split('#');
  return { path: `test/${name}.test.ts`, title };
}
