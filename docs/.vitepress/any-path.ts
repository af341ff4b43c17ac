import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { VitePlugin } from './vite-plugin.js';

/**
 * VitePress wants to know the path that a site is put under. Ours may be put under any: it is built for this one, which nothing
 * else is named like, and it is replaced by what leads to the root: in html by a relative path, in scripts by where they were loaded from.
 */
export const PLACEHOLDER_BASE = '/webgpu-optim-docs/';

/** The path of the site's root, as an expression in a script of the site. */
const rootFrom = (fileName: string): string =>
  `new URL(${JSON.stringify(upFrom(fileName))},import.meta.url).pathname`;

/** From a file of the site to its root: `./`, or `../` as often as it has folders above it. */
export function upFrom(fileName: string): string {
  return '../'.repeat(fileName.split('/').length - 1) || './';
}

/** Replaces the placeholder in the texts of scripts; not in what renders the pages to html. */
export function anyPathPlugin(): VitePlugin {
  return {
    name: 'webgpu-optim:any-path',
    enforce: 'post',
    apply: (_config: unknown, { isSsrBuild }: { isSsrBuild?: boolean }) => !isSsrBuild,
    renderChunk(this: Parser, code: string, { fileName }: { fileName: string }) {
      if (!code.includes(PLACEHOLDER_BASE)) return null;
      let result = code;
      // From the last to the first, so that places before stay where they are.
      for (const { start, end } of textsIn(this.parse(code)).toSorted((a, b) => b.start - a.start)) {
        const text = result.slice(start, end);
        if (!text.includes(PLACEHOLDER_BASE)) continue;
        const atRoot = `(${text}).replaceAll(${JSON.stringify(PLACEHOLDER_BASE)},${rootFrom(fileName)})`;
        result = result.slice(0, start) + atRoot + result.slice(end);
      }
      return { code: result, map: null };
    },
  } as VitePlugin;
}

/** What rollup gives a plugin. */
interface Parser {
  parse(code: string): object;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** All texts of a script, templates as a whole. */
function textsIn(node: unknown): Node[] {
  if (typeof node !== 'object' || node === null) return [];
  if (isNode(node) && (node.type === 'Literal' || node.type === 'TemplateLiteral')) return [node];
  return Object.values(node).flatMap((child) => textsIn(child));
}

function isNode(value: object): value is Node {
  return 'type' in value && 'start' in value && 'end' in value;
}

/** Puts the right root into what VitePress writes past all plugins: what it knows of the site. */
export function correctMetadata(outDir: string): void {
  const folder = 'assets/chunks';
  const file = readdirSync(join(outDir, folder)).find((name) => name.startsWith('metadata.'));
  if (file === undefined)
    throw new Error(`${outDir}/${folder} has no metadata: VitePress writes it otherwise now.`);
  appendFileSync(
    join(outDir, folder, file),
    `\nwindow.__VP_SITE_DATA__.base=${rootFrom(`${folder}/${file}`)};\n`,
  );
}

/** The html of a page, whose links lead to its own site wherever that is. */
export function relativeHtml(html: string, fileName: string): string {
  return html.replaceAll(`="${PLACEHOLDER_BASE}`, `="${upFrom(fileName)}`);
}
