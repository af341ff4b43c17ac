/** vitest's global setup of the projects that look at the demo: builds the site and serves it under a sub-path, as a visitor gets it. */
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { build, preview } from 'vite';
import { WITHOUT_DOCS } from '../../demo/docs-plugin.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the built site is served, with a `/` at its end. */
    siteUrl: string;
  }
}

const configFile = fileURLToPath(new URL('../../demo/vite.config.ts', import.meta.url));

export default async function serveSite(project: TestProject): Promise<() => Promise<void>> {
  const outDir = fileURLToPath(new URL(`../../test-results/site-${project.name}`, import.meta.url));
  // The docs are looked at in one browser: they are pages without a GPU, and take half a minute.
  const mode = project.name === 'demo' ? 'production' : WITHOUT_DOCS;
  await build({ configFile, mode, logLevel: 'error', build: { outDir } });
  const server = await preview({
    configFile,
    logLevel: 'error',
    base: '/some/sub-path/',
    build: { outDir },
    preview: { port: 0, strictPort: false, host: '127.0.0.1' },
  });
  const url = server.resolvedUrls?.local[0];
  if (url === undefined) throw new Error('The built site is not served.');
  project.provide('siteUrl', url);
  return () => server.close();
}
