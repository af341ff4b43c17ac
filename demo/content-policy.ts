/**
 * What pages of the demo may load and run: their own files, and nothing else.
 *
 * @param isServed whether vite serves sources: it puts styles into pages and tells them of changes.
 */
export function contentPolicy(isServed: boolean): string {
  const policy = {
    'default-src': "'none'",
    // TensorFlow.js multiplies integers of 64 bits by a module of WebAssembly that it carries along.
    'script-src': "'self' 'wasm-unsafe-eval'",
    'style-src': isServed ? "'self' 'unsafe-inline'" : "'self'",
    'img-src': "'self' data: blob:",
    'connect-src': isServed ? "'self' ws:" : "'self'",
    'base-uri': "'none'",
    'form-action': "'none'",
  };
  return Object.entries(policy)
    .map(([name, sources]) => `${name} ${sources}`)
    .join('; ');
}
