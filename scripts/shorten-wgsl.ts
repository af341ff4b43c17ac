/** Attributes, members, numbers, names, and single characters that are none of these. */
const TOKEN = /@\w+(?:\s*\([^)]*\))?|\.\s*[A-Za-z_]\w*|\d[\w.]*|[A-Za-z_]\w*|[^\s\w]/g;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'.split('');

/** The tokens between which a name means what a declaration says. */
interface Scope {
  /** The name in the declaration. */
  readonly at: number;
  readonly first: number;
  readonly end: number;
}

/**
 * WGSL whose functions call their parameters and variables by letters. What other texts may refer to keeps its name: functions,
 * structs and their members, constants and variables of the module. So does what a function names outside of the scope of its
 * own declaration, for there it is something of the module.
 */
export function shortenWgsl(wgsl: string): string {
  const tokens = [...wgsl.matchAll(TOKEN)].map(({ 0: text, index }) => ({ text, index }));
  const words = tokens.map(({ text }) => text);
  let shortened = '';
  let copied = 0;
  for (let k = 0; k < words.length; k++) {
    if (words[k] !== 'fn') continue;
    const end = endOfBlock(words, k);
    const names = shortNames(words.slice(k, end));
    for (; k < end; k++) {
      const { text, index } = tokens[k]!;
      const name = names.get(text);
      if (name === undefined) continue;
      shortened += wgsl.slice(copied, index) + name;
      copied = index + text.length;
    }
    k--;
  }
  return shortened + wgsl.slice(copied);
}

/** What the parameters and variables of a function are to be called. */
function shortNames(words: readonly string[]): Map<string, string> {
  const scopes = findScopes(words);
  const own = [...scopes.keys()].filter((name) =>
    words.every(
      (word, k) =>
        word !== name || scopes.get(name)!.some(({ at, first, end }) => k === at || (first <= k && k < end)),
    ),
  );
  const taken = new Set(words.filter((word) => !own.includes(word)));
  const names = new Map<string, string>();
  for (const name of own) {
    // In order, so that like functions have like names, which packs well.
    const short = LETTERS.find((letter) => !taken.has(letter)) ?? name;
    taken.add(short);
    names.set(name, short);
  }
  return names;
}

/** Where the names that a function declares are known. */
function findScopes(words: readonly string[]): Map<string, Scope[]> {
  const scopes = new Map<string, Scope[]>();
  const declare = (at: number, first: number, end: number) => {
    const name = words[at]!;
    scopes.set(name, [...(scopes.get(name) ?? []), { at, first, end }]);
  };
  const body = words.indexOf('{');
  for (let k = 3; k < body; k++) if (words[k + 1] === ':') declare(k, body, words.length);
  const blocks = [endOfBlock(words, 0)];
  for (let k = body + 1; k < words.length; k++) {
    while (blocks.at(-1)! <= k) blocks.pop();
    if (words[k] === '{') blocks.push(endOfBlock(words, k));
    if (words[k] !== 'let' && words[k] !== 'var' && words[k] !== 'const') continue;
    // The variable of a loop is known up to the loop's end.
    const end = words[k - 2] === 'for' ? endOfBlock(words, k) : blocks.at(-1)!;
    // What it is set to is said before it is known.
    declare(k + 1, words.indexOf(';', k), end);
  }
  return scopes;
}

/** The token behind the first block that begins from a token on. */
function endOfBlock(words: readonly string[], from: number): number {
  let depth = 0;
  for (let k = words.indexOf('{', from); k < words.length; k++) {
    if (words[k] === '{') depth++;
    if (words[k] === '}' && --depth === 0) return k + 1;
  }
  throw new Error(`a block of WGSL is not closed: ${words.slice(from, from + 20).join(' ')}`);
}
