/** A folder as a user of the package has it: the package built, the README's example, and the program. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, build } from 'vite';
import { wgslPlugin } from '../scripts/wgsl-plugin.js';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/** The README's example, and the number that it says comes out. */
export function readmeExample(): { code: string; promised: number } {
  const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');
  const code = readme.split('\n## Example\n')[1]?.split('```js\n')[1]?.split('```')[0];
  const promised = /\/\/ (-?[\d.]+)\n$/.exec(code ?? '')?.[1];
  if (code === undefined || promised === undefined) {
    throw new Error("README.md's example does not end with a number in a comment.");
  }
  return { code, promised: Number(promised) };
}

/** Builds the package and the program into an empty folder. What runs there finds `webgpu-optim` as any user's code does. */
export async function makeUserFolder(folder: string): Promise<void> {
  const installed = join(folder, 'node_modules/webgpu-optim');
  mkdirSync(installed, { recursive: true });
  cpSync(join(REPOSITORY, 'package.json'), join(installed, 'package.json'));
  symlinkSync(join(REPOSITORY, 'node_modules/webgpu'), join(folder, 'node_modules/webgpu'), 'junction');
  await build({
    configFile: join(REPOSITORY, 'vite.config.ts'),
    root: REPOSITORY,
    logLevel: 'error',
    build: { outDir: join(installed, 'dist'), emptyOutDir: true, sourcemap: false },
  });
  await buildProgram(folder);
  const { code, promised } = readmeExample();
  writeFileSync(join(folder, 'example.js'), `${code}\nexport { device, first };\n`);
  writeFileSync(join(folder, 'promised.json'), JSON.stringify(promised));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ type: 'module', dependencies: { 'webgpu-optim': '*', webgpu: '*' } }),
  );
  cpSync(join(REPOSITORY, 'runtimes/entries'), folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><script type="module" src="./page.js"></script>');
}

async function buildProgram(folder: string): Promise<void> {
  await build({
    configFile: false,
    root: REPOSITORY,
    logLevel: 'error',
    plugins: [packagePlugin(), wgslPlugin()],
    build: {
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: 'es2022',
      lib: { entry: 'runtimes/program/check-runtime.ts', formats: ['es'], fileName: () => 'program.js' },
    },
  });
}

/** Leaves what is imported from src/index.ts to the package. */
function packagePlugin(): Plugin {
  const index = join(REPOSITORY, 'src/index.ts');
  return {
    name: 'webgpu-optim-package',
    enforce: 'pre',
    async resolveId(source, importer) {
      if (!source.endsWith('/index.js')) return null;
      const resolved = await this.resolve(source, importer, { skipSelf: true });
      return resolved?.id === index ? { id: 'webgpu-optim', external: true } : null;
    },
  };
}
