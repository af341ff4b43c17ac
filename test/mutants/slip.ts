/** One realistic slip, and who should notice it. */
export interface Slip {
  /** The file it is made in. */
  readonly file: string;
  /** What stands there: text that occurs once in the file. */
  readonly find: string;
  /** What is written instead. */
  readonly replace: string;
  /** Tests that should fail, the quickest first: `unit/arena` is test/unit/arena.test.ts; all but `unit` run in Chrome. */
  readonly noticedBy: readonly string[];
}

/** Slips of one file, given as what stands there and what is written instead. */
export function slipsIn(
  file: string,
  noticedBy: readonly string[],
  slips: readonly (readonly [find: string, replace: string])[],
): Slip[] {
  return slips.map(([find, replace]) => ({ file, find, replace, noticedBy }));
}
