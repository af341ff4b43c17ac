/** What some pages may do beside: the folder they are in, and their sources of a directive. */
const EXCEPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Colours of code are attributes of its words.
  'docs/': { 'style-src-attr': "'unsafe-inline'" },
  // Programs that visitors have written. Their workers have the policy of this page, too: they load and call nothing from elsewhere.
  'playground/': { 'script-src': 'blob:' },
};

/**
 * What pages of the site may load and run: their own files, and nothing else.
 *
 * @param isServed whether vite serves sources: it puts styles into pages and tells them of changes.
 * @param path the page's address in the site, e.g. `race/`.
 */
export function contentPolicy(isServed: boolean, path = ''): string {
  const policy: Record<string, string> = {
    'default-src': "'none'",
    // TensorFlow.js multiplies integers of 64 bits by a module of WebAssembly that it carries along.
    'script-src': "'self' 'wasm-unsafe-eval'",
    'style-src': isServed ? "'self' 'unsafe-inline'" : "'self'",
    'img-src': "'self' data: blob:",
    'connect-src': isServed ? "'self' ws:" : "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
  };
  const exception = Object.entries(EXCEPTIONS).find(([folder]) => path.startsWith(folder))?.[1] ?? {};
  for (const [name, source] of Object.entries(exception)) {
    policy[name] = policy[name] === undefined ? source : `${policy[name]} ${source}`;
  }
  return Object.entries(policy)
    .map(([name, sources]) => `${name} ${sources}`)
    .join('; ');
}
