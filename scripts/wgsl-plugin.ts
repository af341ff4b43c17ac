import { readFile } from 'node:fs/promises';
import { type Plugin, Visitor, parseSync } from 'vite';
import { shortenWgsl } from './shorten-wgsl.js';

/**
 * WGSL without what only people read: comments, indentation, blank lines, and blanks beside all but operators. Line ends stay,
 * so that errors of a shader still tell lines apart. Between two operators a blank stays, for `a > = b` and `a - -b` would be
 * something else without.
 */
export function stripWgsl(wgsl: string): string {
  return stripLines(`\n${wgsl}\n`)
    .split('\n')
    .filter((line) => line !== '')
    .join('\n');
}

/** As {@link stripWgsl}, of any part of a shader: what stands at its ends stays, and so do all line ends. */
function stripLines(wgsl: string): string {
  return wgsl
    .replaceAll(/\/\/.*(?=\n)|\/\*[^]*?\*\//g, '')
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/(?<=[^\w\s]) (?=\w)|(?<=\w) (?=[^\w\s])| ?([{}(),;\n]) ?/g, '$1');
}

/** A module whose shaders are stripped: they are its templates of several lines. Nothing moves to another line. */
export function stripTemplates(path: string, code: string): string {
  const parts: { start: number; raw: string }[] = [];
  new Visitor({
    TemplateLiteral({ quasis }) {
      if (!quasis.some(({ value }) => value.raw.includes('\n'))) return;
      for (const { start, value } of quasis) parts.push({ start: start + 1, raw: value.raw });
    },
  }).visit(parseSync(path, code).program);
  let stripped = '';
  let copied = 0;
  for (const { start, raw } of parts.toSorted((a, b) => a.start - b.start)) {
    stripped += code.slice(copied, start) + stripLines(raw);
    copied = start + raw.length;
  }
  return stripped + code.slice(copied);
}

/** Ships shaders stripped: the text of `*.wgsl?raw`, and what modules compose. */
export function wgslPlugin(): Plugin {
  return {
    name: 'webgpu-optim-wgsl',
    enforce: 'pre',
    async load(id) {
      const [path, query] = id.split('?');
      if (query !== 'raw' || !path!.endsWith('.wgsl')) return null;
      return `export default ${JSON.stringify(shortenWgsl(stripWgsl(await readFile(path!, 'utf8'))))};`;
    },
    transform(code, id) {
      // Line by line as it was, so that the source map is right as it is.
      return /\/src\/.*\.ts$/.test(id) ? { code: stripTemplates(id, code), map: null } : null;
    },
  };
}
