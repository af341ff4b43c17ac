import type { UserConfig } from 'vite';

/**
 * How a command of the package is built: `<folder>/command.ts` into dist, in one file with all that it needs, for the package has no
 * dependencies. Licences of what is bundled are beside it.
 */
export function commandConfig(repository: string, folder: string): UserConfig {
  return {
    root: repository,
    ssr: { noExternal: true },
    build: {
      ssr: `${folder}/command.ts`,
      outDir: `dist/${folder}`,
      target: 'node20',
      minify: false,
      license: { fileName: 'licenses.md' },
      rolldownOptions: { output: { entryFileNames: 'command.js' } },
    },
  };
}
