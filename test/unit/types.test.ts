/** The declarations as they are published: what is refused and taken is the same as of the source. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

/** What the type checker prints; nothing if all is well. */
async function tsc(...options: string[]): Promise<string> {
  const command = [resolve('node_modules/typescript/bin/tsc'), ...options];
  return run(process.execPath, command).then(
    ({ stdout }) => stdout,
    (error: Error & { stdout: string }) => error.stdout || error.message,
  );
}

/** A consumer's settings, stricter than most. */
const CONSUMER = {
  compilerOptions: {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    // The peers' own declarations are not what is tested.
    skipLibCheck: true,
    noEmit: true,
    types: ['@webgpu/types'],
    lib: ['es2023', 'dom'],
  },
};

const INTERNAL = `
import type { Optimizer } from './dist/index.js';
declare const optimizer: Optimizer;
optimizer.step();
optimizer.reportStep();
`;

test('a strict consumer of the built declarations compiles, and sees nothing internal', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-types-'));
  try {
    expect(await tsc('-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist'))).toBe('');
    await symlink(resolve('node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(CONSUMER));
    for (const file of await readdir('test/types')) {
      const text = await readFile(join('test/types', file), 'utf8');
      await writeFile(join(folder, file), text.replaceAll('../../src/', './dist/'));
    }
    expect(await tsc('-p', folder)).toBe('');
    await writeFile(join(folder, 'internal.ts'), INTERNAL);
    const errors = await tsc('-p', folder);
    expect(errors).toContain("'reportStep'");
    expect(errors).not.toContain("'step'");
  } finally {
    await rm(folder, { recursive: true });
  }
});
