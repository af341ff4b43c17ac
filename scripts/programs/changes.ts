/** A text that is in a file once, and what is to be there instead. */
export type Change = readonly [from: string, to: string];

/** @throws Error if a text is not there, or several times. */
export function changed(code: string, changes: readonly Change[], file: string): string {
  return changes.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) {
      throw new Error(`${file} has ${JSON.stringify(from)} not just once: it is another version.`);
    }
    return text.replace(from, () => to);
  }, code);
}
