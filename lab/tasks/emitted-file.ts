import type { Plugin } from 'vite';

/** A file that the site ships and no folder of the demo has. */
export interface EmittedFile {
  /** Under which it lies at the root of the site. */
  readonly name: string;
  readonly contentType: string;
  /** Its bytes; asked for once. */
  readonly load: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** Serves a file in development and emits it in a build. */
export function emittedFile({ name, contentType, load }: EmittedFile): Plugin {
  let loading: Promise<Uint8Array<ArrayBuffer>> | undefined;
  const loaded = (): Promise<Uint8Array<ArrayBuffer>> => (loading ??= load());
  return {
    name: `webgpu-optim:${name}`,
    configureServer(server) {
      server.middlewares.use(`${server.config.base}${name}`, (_request, response, next) => {
        const respond = async (): Promise<void> => {
          try {
            const bytes = await loaded();
            response.setHeader('Content-Type', contentType);
            response.setHeader('Content-Length', bytes.byteLength);
            response.end(bytes);
          } catch (error) {
            next(error);
          }
        };
        void respond();
      });
    },
    async generateBundle() {
      this.emitFile({ type: 'asset', fileName: name, source: await loaded() });
    },
  };
}
