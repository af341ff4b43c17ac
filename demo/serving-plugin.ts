import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import type { Connect, Plugin } from 'vite';
import { contentPolicy } from './content-policy.js';
import { NOT_FOUND_FILE, NOT_FOUND_PAGE, NOT_FOUND_POLICY } from './not-found.js';

/** What a host of static files does, and what headers of one can say: policies per page, folders with their `/`, and 404. */
export function servingPlugin(): Plugin {
  return {
    name: 'webgpu-optim:serving',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: NOT_FOUND_FILE, source: NOT_FOUND_PAGE });
    },
    configureServer({ middlewares, config }) {
      middlewares.use(serve({ isServed: true, base: config.base, root: config.root }));
    },
    configurePreviewServer({ middlewares, config }) {
      middlewares.use(
        serve({ isServed: false, base: config.base, root: resolve(config.root, config.build.outDir) }),
      );
    },
  };
}

interface Place {
  readonly isServed: boolean;
  /** The path that the site is under. */
  readonly base: string;
  /** The folder of its files. */
  readonly root: string;
}

function serve({ isServed, base, root }: Place): Connect.NextHandleFunction {
  return (request, response, next) => {
    const [address, query] = request.url!.split('?') as [string, string | undefined];
    if (!address.startsWith(base)) {
      next();
      return;
    }
    const path = decodeURI(address.slice(base.length));
    setPolicy(response, contentPolicy(isServed, path));
    // The docs are built when somebody asks for them.
    if (!isPage(request, path) || (isServed && path.startsWith('docs/'))) {
      next();
      return;
    }
    const file = join(root, path);
    if (existsSync(join(file, 'index.html')) && path !== '' && !path.endsWith('/')) {
      const target = `${address}/${query === undefined ? '' : `?${query}`}`;
      response.writeHead(301, { Location: target }).end();
    } else if (existsSync(path.endsWith('/') || path === '' ? join(file, 'index.html') : file)) next();
    else {
      setPolicy(response, NOT_FOUND_POLICY);
      response.writeHead(404, { 'Content-Type': 'text/html; charset=utf-8' }).end(NOT_FOUND_PAGE);
    }
  };
}

/** Other sites may not show it in a frame, either; pages cannot say so themselves. */
function setPolicy(response: ServerResponse, policy: string): void {
  response.setHeader('Content-Security-Policy', `${policy}; frame-ancestors 'none'`);
}

/** Whether somebody looks for a page: not for a file, nor for what vite makes of one. */
function isPage({ headers }: IncomingMessage, path: string): boolean {
  const last = path.slice(path.lastIndexOf('/') + 1);
  return headers.accept?.includes('text/html') === true && (!last.includes('.') || last.endsWith('.html'));
}
