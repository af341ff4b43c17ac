import { createHash } from 'node:crypto';

/** Where hosts of static files look for what they send in place of a page that is not there. */
export const NOT_FOUND_FILE = '404.html';

const style =
  'body { margin: 4rem auto; max-width: 34rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif }';

/** It stands for addresses in any folder, so it has to look for the site's root: the folder that has this page. */
const script = `
const link = document.querySelector('a');
const parts = location.pathname.split('/').slice(0, -1);
const find = async () => {
  for (; parts.length > 0; parts.pop()) {
    const folder = parts.join('/') + '/';
    if ((await fetch(folder + '${NOT_FOUND_FILE}', { method: 'HEAD' })).ok) return void (link.href = folder);
  }
};
void find();
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** It runs and loads what is in it, and nothing else. */
export const NOT_FOUND_POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** A page in one file. */
export const NOT_FOUND_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta http-equiv="Content-Security-Policy" content="${NOT_FOUND_POLICY}" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="data:," />
    <title>webgpu-optim: no such page</title>
    <style>${style}</style>
  </head>
  <body>
    <main>
      <h1>There is no such page</h1>
      <p>The address may be mistyped, or the page has moved.</p>
      <p><a href="./">All pages of webgpu-optim</a></p>
    </main>
    <script>${script}</script>
  </body>
</html>
`;
