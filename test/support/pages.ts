/** README.md and the pages of docs/, as they are written. */
import { readFileSync, readdirSync } from 'node:fs';
import { ENTRY_POINTS } from './entry-points.js';

/** The pages' paths and texts. Beside them, docs/ holds what the generator of the site makes. */
export function allPages(): (readonly [string, string])[] {
  const inDocs = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.md') && !/^(?:api|node_modules|\.vitepress)\//.test(name),
  );
  return ['README.md', ...inDocs.map((name) => `docs/${name}`)]
    .toSorted()
    .map((path) => [path, readFileSync(path, 'utf8')]);
}

/** A module of the TypeScript of a page, for the compiler; it imports the source. Undefined of a page without any. */
export function typesOf(page: string, markdown: string): string | undefined {
  const blocks = [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
  if (blocks.length === 0) return undefined;
  // What is declared and not used would be an error.
  const code = blocks
    .join('\n')
    .replaceAll(/^const /gm, 'export const ')
    .replaceAll(/'webgpu-optim(?:\/\w+)?'/g, (name) => {
      const source = ENTRY_POINTS[name.slice(1, -1)];
      return source === undefined ? name : `'../../src/${source.replace(/\.ts$/, '.js')}'`;
    });
  return `/** The TypeScript of ${page}: \`npm run docs\` copies it, \`npm run typecheck\` is the test. */\n${code}`;
}
