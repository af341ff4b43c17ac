import { execFile } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Plugin } from 'vite';
import { llmsFiles } from './llms.js';

const repository = fileURLToPath(new URL('..', import.meta.url));
const built = join(repository, 'docs/.vitepress/dist');

/** Vite's mode for a site without docs: a visit to the other pages need not wait for them. */
export const WITHOUT_DOCS = 'without-docs';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.md': 'text/markdown',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
};

/** Puts the docs under `docs/`. In development they are built when somebody asks for them; `npm run docs:dev` shows them as they are written. */
export function docsPlugin(): Plugin {
  let building: Promise<unknown> | undefined;
  const build = (): Promise<unknown> => (building ??= buildDocs());
  let isWanted = false;
  return {
    name: 'webgpu-optim:docs',
    configResolved({ command, mode }) {
      isWanted = command === 'build' && mode !== WITHOUT_DOCS;
    },
    buildStart() {
      // What fails is thrown where it is awaited.
      if (isWanted) build().catch(() => undefined);
    },
    async generateBundle() {
      if (!isWanted) return;
      for (const [fileName, source] of llmsFiles()) this.emitFile({ type: 'asset', fileName, source });
    },
    async writeBundle({ dir }) {
      if (!isWanted) return;
      await build();
      await cp(built, join(dir!, 'docs'), { recursive: true });
    },
    configureServer({ middlewares, config }) {
      middlewares.use(`${config.base}docs`, (request, response, next) => {
        const respond = async (): Promise<void> => {
          try {
            await build();
            const { pathname } = new URL(request.url!, 'http://localhost');
            const file = join(built, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
            const bytes = await readFile(file);
            const type = TYPES[extname(file)] ?? 'application/octet-stream';
            response.setHeader('Content-Type', `${type}; charset=utf-8`);
            response.end(bytes);
          } catch (error) {
            next((error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : error);
          }
        };
        void respond();
      });
    },
  };
}

/** VitePress comes with a vite of its own, so it runs in a process of its own. */
async function buildDocs(): Promise<unknown> {
  return await promisify(execFile)('npm', ['run', 'docs:build'], {
    cwd: repository,
    shell: process.platform === 'win32',
  });
}
