import { quote } from '../../errors.js';
import { refuse } from './refuse.js';

/** Shown of what stands where something else should. */
const SHOWN_LENGTH = 20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const SPACES: ReadonlySet<string> = new Set(' \t\r\n');

/**
 * Reads the JSON of a header from its beginning to its end. `JSON.parse` would do more than is wanted (a header has one form, so
 * nothing here calls itself, however deep a file is nested) and less: of two keys of one name it shows the last, and numbers
 * lose digits.
 */
export class Scanner {
  #at = 0;

  constructor(private readonly text: string) {}

  /** Reads what is between `{` and `}`; `member` is called behind each key and its colon. */
  object(what: string, member: (key: string) => void): void {
    const seen = new Set<string>();
    this.#take('{', what);
    if (this.#takeIf('}')) return;
    do {
      const key = this.string(`a name in quotes, as the next of ${what}`);
      if (seen.has(key)) refuse(`The header names ${quote(key)} twice in ${what}. Write the file anew.`);
      seen.add(key);
      this.#take(':', `":" behind ${quote(key)}`);
      member(key);
    } while (this.#takeIf(','));
    this.#take('}', `"," or "}" in ${what}`);
  }

  /** Reads what is between `[` and `]`: whole numbers from 0. */
  naturals(what: string): number[] {
    const numbers: number[] = [];
    this.#take('[', what);
    if (this.#takeIf(']')) return numbers;
    do numbers.push(this.#natural(what));
    while (this.#takeIf(','));
    this.#take(']', `"," or "]" in ${what}`);
    return numbers;
  }

  /** Reads a string. */
  string(what: string): string {
    this.#take('"', what);
    const start = this.#at;
    let hasEscapes = false;
    for (;;) {
      const code = this.text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      // NaN, too, behind the end.
      if (!(code >= FIRST_PRINTABLE)) this.#fail(`the rest of a string (${what})`);
      if (code === BACKSLASH) hasEscapes = true;
      this.#at += code === BACKSLASH ? 2 : 1;
    }
    const raw = this.text.slice(start, this.#at);
    this.#at += 1;
    return hasEscapes ? unescape(raw) : raw;
  }

  /** Throws unless nothing but white space is left. */
  end(): void {
    this.#skipSpace();
    if (this.#at < this.text.length) this.#fail('the end of the header');
  }

  #natural(what: string): number {
    this.#skipSpace();
    const start = this.#at;
    while (/[-+.\w]/.test(this.text.charAt(this.#at))) this.#at += 1;
    const digits = this.text.slice(start, this.#at);
    if (!/^(0|[1-9]\d*)$/.test(digits)) {
      this.#at = start;
      this.#fail(`a whole number from 0 in ${what}`);
    }
    const value = Number(digits);
    if (!Number.isSafeInteger(value)) {
      refuse(`The header has ${quote(digits)} in ${what}, beyond 2^53 - 1. Write the file anew.`);
    }
    return value;
  }

  #take(char: string, what: string): void {
    if (!this.#takeIf(char)) this.#fail(what);
  }

  #takeIf(char: string): boolean {
    this.#skipSpace();
    const isThere = this.text.charAt(this.#at) === char;
    if (isThere) this.#at += 1;
    return isThere;
  }

  #skipSpace(): void {
    while (SPACES.has(this.text.charAt(this.#at))) this.#at += 1;
  }

  #fail(expected: string): never {
    const rest = this.text.slice(this.#at, this.#at + SHOWN_LENGTH);
    const found = this.#at < this.text.length ? quote(rest) : 'its end';
    refuse(
      `The header is no JSON as the format wants it: at character ${this.#at}, in place of ${expected}, is ${found}. Write the file anew.`,
    );
  }
}

/** A string without its quotes, as JSON means it. */
function unescape(raw: string): string {
  let text: string;
  try {
    text = JSON.parse(`"${raw}"`) as string;
  } catch (cause) {
    refuse(`The header has an escape in ${quote(raw)} that JSON does not know. Write the file anew.`, cause);
  }
  if (!isWellFormed(text)) {
    refuse(`The header has half of a surrogate pair in ${quote(raw)}. Write the file anew.`);
  }
  return text;
}

/** Whether a text can be written as UTF-8: it has no half of a surrogate pair. A pattern would take seconds for a large one. */
export function isWellFormed(text: string): boolean {
  for (let k = 0; k < text.length; k += 1) {
    if ((text.charCodeAt(k) & 0xf800) !== 0xd800) continue;
    // A pair is a code point above all single units.
    if (text.codePointAt(k)! < 0x10000) return false;
    k += 1;
  }
  return true;
}
