import { type DefaultTheme, defineConfig } from 'vitepress';
import packageJson from '../../package.json';
import { contentPolicy } from '../../demo/content-policy.js';
import { PLACEHOLDER_BASE, anyPathPlugin, correctMetadata, relativeHtml, upFrom } from './any-path.js';
import { Licences } from './licences.js';
import { outsideLinks } from './outside-links.js';
import { docsSections } from './pages.js';
import { playgroundLink } from './playground-link.js';

/** In place of the scripts that VitePress writes into pages, which the content policy does not let run. */
const FIRST_SCRIPT = 'first.js';

/** Of the reference, its modules: all of its names in each of its pages would make them ten times as large. */
function sidebar(): DefaultTheme.SidebarItem[] {
  const written = docsSections().map(({ title, pages }) => ({
    text: title,
    items: pages.map((page) => ({ text: page.name, link: `/${page.file}` })),
  }));
  const modules = Object.keys(packageJson.exports).filter((path) => !path.endsWith('.json'));
  const api = modules.map((path) => {
    const name = path.replace('.', packageJson.name);
    return { text: name, link: `/api/${name}/` };
  });
  return [...written, { text: 'API', items: api }];
}

const licences = new Licences();

/** The docs site. The demo's build puts it beside the demo, under `docs/`. */
export default defineConfig({
  title: 'webgpu-optim',
  description: 'The optimizer step on WebGPU: fused kernels that update parameters in place.',
  lang: 'en',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  base: PLACEHOLDER_BASE,
  // What the site knows of itself in a file, not in a script in each page.
  metaChunk: true,
  // The theme is that of the other pages; without transitions switched off by a style element, which the content policy forbids.
  appearance: { storageKey: 'webgpu-optim:theme', disableTransition: false },
  markdown: {
    config(md) {
      outsideLinks(md);
      playgroundLink(md);
    },
  },
  vite: { plugins: [anyPathPlugin(), licences.plugin] },
  themeConfig: {
    nav: [
      { text: 'Guides', link: '/' },
      { text: 'API', link: '/api/' },
      // A page of the other site: no link for VitePress' router.
      { text: 'Demo', link: '/../', target: '_self' },
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: 'local' },
  },
  transformHtml(html, _id, { page }) {
    const policy = `<meta http-equiv="Content-Security-Policy" content="${contentPolicy(false, 'docs/')}">`;
    const scripts = `<script src="${upFrom(page)}${FIRST_SCRIPT}"></script>`;
    const clean = html.replaceAll(/<script id="check-[^"]+">.*?<\/script>/gsu, '');
    return relativeHtml(clean, page).replace('<head>', `<head>\n    ${policy}\n    ${scripts}`);
  },
  buildEnd({ outDir }) {
    correctMetadata(outDir);
    licences.write(outDir);
  },
});
