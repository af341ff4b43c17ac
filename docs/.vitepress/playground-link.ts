import type { MarkdownRenderer } from 'vitepress';
import { recipesOf } from '../../demo/playground/recipes.js';

/** A guide whose code runs in the demo's playground says so below its title. The playground is no page of this site, so that its link is html. */
export function playgroundLink(md: MarkdownRenderer): void {
  md.core.ruler.push('playground-link', ({ src, tokens, env, Token }) => {
    const page: string = env.relativePath ?? '';
    const [recipe] = page.startsWith('guides/') ? recipesOf({ [page]: src }) : [];
    if (!recipe) return;
    const link = new Token('html_block', '', 0);
    const address = `../../playground/?recipe=${recipe.name}`;
    link.content = `<p><a href="${address}" target="_self">Run the code of this page in the playground</a></p>\n`;
    tokens.splice(tokens.findIndex(({ type }) => type === 'heading_close') + 1, 0, link);
  });
}
