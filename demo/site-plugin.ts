import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { contentPolicy } from './content-policy.js';
import { DATA_LICENCES_FILE } from './data-licences-plugin.js';
import { type DemoPage, home, pages } from './pages.js';

const here = fileURLToPath(new URL('.', import.meta.url));

const pageFile = (path: string): string => `${here}${path}${path && '/'}index.html`;

/** The html files of the pages, for the build. */
export const pageFiles: readonly string[] = [home, ...pages].map(({ path }) => pageFile(path));

/**
 * Puts what all pages have in common into their html: `<!-- site:head -->` becomes style, icon and script,
 * `<!-- site:header -->` the menu, `<!-- site:cards -->` a card per page,
 * `<!-- site:recorded -->` a picture for visitors without WebGPU, `<!-- site:licences -->` what the built site ships of others.
 * In html, the menu works without scripts.
 */
export function sitePlugin(): Plugin {
  return {
    name: 'webgpu-optim:site',
    transformIndexHtml: {
      order: 'pre',
      handler(source, { filename, server }) {
        const page = [home, ...pages].find(({ path }) => filename === pageFile(path));
        // Whoever puts the built site up sends no headers of ours.
        const html = server ? source : source.replace('<head>', `<head>\n${policyTag(page)}`);
        if (page === undefined) return html;
        const root = page === home ? './' : '../';
        return html
          .replace('<!-- site:head -->', head(root))
          .replace('<!-- site:header -->', header(page, root))
          .replace('<!-- site:recorded -->', recorded(page, root))
          .replace('<!-- site:licences -->', server ? '' : licences)
          .replace('<!-- site:cards -->', pages.map((target) => card(target, root)).join('\n'));
      },
    },
  };
}

/** Where the built site says under which licences its code is. */
export const CODE_LICENCES_FILE = 'licences-code.md';

const policyTag = (page?: DemoPage): string =>
  `    <meta http-equiv="Content-Security-Policy" content="${contentPolicy(false, page && `${page.path}/`)}" />`;

const licences = `
    <footer class="site muted">
      Licences of what this site ships: <a href="./${CODE_LICENCES_FILE}">code</a>, <a href="./docs/licences-docs.md">the docs’ code</a>,
      <a href="./${DATA_LICENCES_FILE}">data</a>
    </footer>`;

const head = (root: string): string => `
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="${root}site/style.css" />
    <script type="module" src="${root}site/main.ts"></script>`;

function header(current: DemoPage, root: string): string {
  const link = ({ path, name }: DemoPage): string => {
    const mark = path === current.path ? ' aria-current="page"' : '';
    return `<a href="${root}${path}${path && '/'}"${mark}>${name}</a>`;
  };
  return `
    <a class="skip" href="#content">Skip to the content</a>
    <header class="site">
      <nav aria-label="Pages">${link(home)}${pages.map(link).join('')}<a href="${root}docs/">Docs</a></nav>
      <button id="theme" type="button" hidden></button>
    </header>`;
}

/** Pictures are made by `npm run pictures`. */
function picture({ path, name }: DemoPage, root: string): string {
  if (!existsSync(`${here}pictures/${path}.webp`)) return '';
  return `<img src="${root}pictures/${path}.webp" alt="The page ${name}, recorded" width="1280" height="800" loading="lazy" />`;
}

const recorded = (page: DemoPage, root: string): string =>
  `<figure id="recorded" class="panel" hidden>
        ${picture(page, root)}
        <figcaption class="muted">What this page shows where WebGPU works.</figcaption>
      </figure>`;

const card = (page: DemoPage, root: string): string =>
  `<a class="card panel" href="${root}${page.path}/">${picture(page, root)}<h2>${page.name}</h2><p>${page.summary}</p></a>`;
