/** WGSL with one thing changed, which a test of it must notice. */

/** What each operator is mistaken for; the other direction of each pair is a mutation of its own. */
export const MISTAKES_OF_NUMBERS: Readonly<Record<string, string>> = {
  ' + ': ' - ',
  ' - ': ' + ',
  ' * ': ' / ',
  ' / ': ' * ',
  // Of the whole condition.
  'if (': 'if (!(',
};

/** Those of code that works on bits. */
export const MISTAKES_OF_BITS: Readonly<Record<string, string>> = {
  ...MISTAKES_OF_NUMBERS,
  ' >> ': ' << ',
  ' << ': ' >> ',
  ' & ': ' | ',
  ' | ': ' & ',
  ' ^ ': ' ^ ~',
  ' < ': ' >= ',
  ' > ': ' <= ',
  ' >= ': ' < ',
  ' == ': ' != ',
  'min(': 'max(',
  'max(': 'min(',
};

export interface WgslMutant {
  readonly wgsl: string;
  readonly title: string;
}

const escaped = (text: string): string => text.replaceAll(/[|()*+^]/g, '\\$&');

/**
 * Every WGSL that differs from this one in one of these places.
 *
 * @param mistakes what each text is replaced by.
 * @param seen the functions that were mutated before, by their text; those of this WGSL are added.
 * @param isMeant whether a function of this name is to be mutated; default: all.
 */
export function mutantsOf(
  wgsl: string,
  mistakes: Readonly<Record<string, string>>,
  seen: Set<string>,
  isMeant: (name: string) => boolean = () => true,
): WgslMutant[] {
  const places = new RegExp(Object.keys(mistakes).map(escaped).join('|'), 'g');
  const mutants: WgslMutant[] = [];
  for (const { index: start, 0: text, groups } of wgsl.matchAll(/^fn (?<name>\w+)[^]*?^\}$/gm)) {
    if (seen.has(text) || !isMeant(groups!['name']!)) continue;
    seen.add(text);
    for (const { 0: found, index } of text.matchAll(places)) {
      const lineStart = text.lastIndexOf('\n', index) + 1;
      const line = text.slice(lineStart).split('\n', 1)[0]!;
      if (line.trim().startsWith('//')) continue;
      const at = start + index;
      const mistake = mistakes[found]!;
      const end = found === 'if (' ? closingOf(wgsl, at + found.length) : at + found.length;
      const left = found === 'if (' ? `${wgsl.slice(at + found.length, end)})` : '';
      mutants.push({
        wgsl: wgsl.slice(0, at) + mistake + left + wgsl.slice(end),
        title: `${mistake.trim()} at column ${index - lineStart + 1} of ${line.trim()}`,
      });
    }
  }
  return mutants;
}

/** Where the parenthesis closes that has opened before a place. */
function closingOf(wgsl: string, from: number): number {
  let open = 1;
  let at = from;
  for (; open > 0; at++) open += wgsl[at] === '(' ? 1 : wgsl[at] === ')' ? -1 : 0;
  return at - 1;
}

/** The functions that some call, and those that these call. */
export function reachableFunctions(wgsl: string, from: readonly string[]): Set<string> {
  const bodies = new Map(
    [...wgsl.matchAll(/^fn (?<name>\w+)[^]*?^\}$/gm)].map(({ 0: text, groups }) => [groups!['name']!, text]),
  );
  const reached = new Set(from);
  for (const name of reached) {
    for (const [callee] of (bodies.get(name) ?? '').matchAll(/\w+(?=\()/g)) {
      if (bodies.has(callee)) reached.add(callee);
    }
  }
  return reached;
}
