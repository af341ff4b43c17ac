import { docsSections } from '../docs/.vitepress/pages.js';

/**
 * What language models read of the docs, as https://llmstxt.org says: `llms.txt` lists the pages, `llms-full.txt` has the text of all, and
 * each page lies in Markdown beside its html.
 *
 * @returns names in the site, and texts.
 */
export function llmsFiles(): Map<string, string> {
  const sections = docsSections();
  const pages = sections.flatMap((section) => section.pages);
  const lists = sections.map(
    (section) =>
      `## ${section.title}\n\n${section.pages.map(({ name, title, file }) => `- [${name}](docs/${file}): ${title}`).join('\n')}\n`,
  );
  return new Map([
    ['llms.txt', `${HEAD}\n${lists.join('\n')}`],
    ['llms-full.txt', `${HEAD}\n${pages.map(({ markdown }) => markdown).join('\n\n---\n\n')}`],
    ...pages.map(({ file, markdown }) => [`docs/${file}`, markdown] as const),
  ]);
}

const HEAD = `# webgpu-optim

> The optimizer step on WebGPU, for TypeScript and JavaScript: weights and gradients lie in GPU buffers, and a step updates the
> weights in place, in one pass. \`npm install webgpu-optim\`
`;
