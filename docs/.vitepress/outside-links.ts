import { statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MarkdownRenderer } from 'vitepress';
import manifest from '../../package.json';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const docs = join(repository, 'docs');

/** Links from `docs/` to other files of this repository work as they are where it is browsed; the site leads to them there. */
export function outsideLinks(md: MarkdownRenderer): void {
  md.core.ruler.push('outside-links', ({ tokens, env }) => {
    const page: string = env.path;
    for (const { children } of tokens) {
      for (const token of children ?? []) {
        const href = token.type === 'link_open' ? token.attrGet('href') : null;
        if (href?.startsWith('../')) token.attrSet('href', resolveOutside(href, page));
      }
    }
  });
}

/** @throws Error if nothing is where the link leads to. */
function resolveOutside(href: string, page: string): string {
  const [path, hash] = href.split('#') as [string, string | undefined];
  const target = join(dirname(page), path);
  if (!relative(docs, target).startsWith('..')) return href;
  const kind = statSync(target, { throwIfNoEntry: false })?.isDirectory();
  if (kind === undefined) throw new Error(`${page} links to ${href}, which is not there.`);
  const url = `${repositoryUrl()}/${kind ? 'tree' : 'blob'}/main/${relative(repository, target)}`;
  return hash === undefined ? url : `${url}#${hash}`;
}

function repositoryUrl(): string {
  return manifest.repository.url.replace(/^git\+/u, '').replace(/\.git$/u, '');
}
