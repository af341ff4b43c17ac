import { readFile } from 'node:fs/promises';
import type { Plugin } from 'vite';

/**
 * WGSL without what only people read: comments, indentation, blank lines, and blanks beside brackets, commas and
 * semicolons. Line ends stay, so that errors of a shader still tell lines apart; operators keep their blanks, for without
 * them `a > = b` and `a - -b` would be something else.
 */
export function stripWgsl(wgsl: string): string {
  return wgsl
    .replaceAll(/\/\/.*|\/\*[^]*?\*\//g, '')
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/ ?([{}(),;]) ?/g, '$1'),
    )
    .filter((line) => line !== '')
    .join('\n');
}

/** Ships the text of `*.wgsl?raw` stripped. */
export function wgslPlugin(): Plugin {
  return {
    name: 'webgpu-optim-wgsl',
    enforce: 'pre',
    async load(id) {
      const [path, query] = id.split('?');
      if (query !== 'raw' || !path!.endsWith('.wgsl')) return null;
      return `export default ${JSON.stringify(stripWgsl(await readFile(path!, 'utf8')))};`;
    },
  };
}
