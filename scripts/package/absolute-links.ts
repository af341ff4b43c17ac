const PICTURE = /\.(?:webp|png|svg|jpe?g|gif)$/u;
/** `](target)` of Markdown, and `src="target"` or `href="target"` of HTML. */
const LINK = /(\]\(|(?:src|href)=")([^)"\s]+)/gu;

/**
 * A README whose links lead somewhere wherever it is shown: those into the repository become addresses on GitHub.
 *
 * @param home the repository's address there.
 * @param tag what is published, a tag or a branch.
 */
export function absoluteLinks(markdown: string, home: string, tag: string): string {
  const raw = home.replace('https://github.com/', 'https://raw.githubusercontent.com/');
  return markdown.replaceAll(LINK, (whole, opening: string, target: string) => {
    if (/^(?:[a-z]+:|#)/u.test(target)) return whole;
    const path = target.replace(/^\.\//u, '');
    return `${opening}${PICTURE.test(path) ? `${raw}/${tag}` : `${home}/blob/${tag}`}/${path}`;
  });
}
