import { fileUrl } from '../file-url.js';

/** Where the text is served, relative to the site's root. */
export const MOBY_DICK_FILE = 'moby-dick.txt';

/** The end of the text is held out: 119,000 characters of Moby-Dick, the chase. */
const HELD_OUT_SHARE = 0.1;

/** A text as numbers: each character is its place in the alphabet. */
export interface Corpus {
  /** Every character that occurs, in the order of their code points. */
  readonly alphabet: readonly string[];
  readonly train: Uint8Array<ArrayBuffer>;
  readonly heldOut: Uint8Array<ArrayBuffer>;
  /** Entropy of single characters, in bits: what knowing their frequencies, and nothing else, can reach. */
  readonly unigramBits: number;
}

/** Loads Moby-Dick from the page's own server. */
export async function fetchMobyDick(url: string = fileUrl(MOBY_DICK_FILE)): Promise<Corpus> {
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`Moby-Dick could not be loaded: ${url} answered ${response.status}.`);
  }
  return createCorpus(await response.text());
}

/**
 * Numbers the characters of a text and holds its end out.
 *
 * @throws Error when the text is empty or has more than 256 different characters.
 */
export function createCorpus(text: string): Corpus {
  const characters = Array.from(text.replaceAll('\r\n', '\n'));
  const counts = new Map<string, number>();
  for (const character of characters) counts.set(character, (counts.get(character) ?? 0) + 1);
  const alphabet = [...counts.keys()].toSorted((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  if (alphabet.length === 0 || alphabet.length > 256) {
    throw new Error(`Expected a text of 1 to 256 different characters, got one of ${alphabet.length}.`);
  }
  const codes = new Map(alphabet.map((character, code) => [character, code]));
  const encoded = Uint8Array.from(characters, (character) => codes.get(character)!);
  const trainLength = Math.floor(encoded.length * (1 - HELD_OUT_SHARE));
  const unigramBits = [...counts.values()]
    .map((count) => count / encoded.length)
    .reduce((bits, share) => bits - share * Math.log2(share), 0);
  return {
    alphabet,
    train: encoded.slice(0, trainLength),
    heldOut: encoded.slice(trainLength),
    unigramBits,
  };
}

/** The text that numbers stand for. */
export function decode({ alphabet }: Corpus, codes: ArrayLike<number>): string {
  return Array.from(codes, (code) => alphabet[code]).join('');
}
