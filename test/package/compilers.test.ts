/** The README's example, compiled by each TypeScript that the package supports against the declarations as they are installed. */
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { readmeExample } from '../../runtimes/user-folder.js';

const run = promisify(execFile);

/** TypeScript has WebGPU's types since version 6, but not its constants, which @webgpu/types has. */
const COMPILERS = [
  { name: 'typescript-5.7', hasWebGpu: false },
  { name: 'typescript-5.9', hasWebGpu: false },
  { name: 'typescript-6', hasWebGpu: true },
  { name: 'typescript', hasWebGpu: true },
];

/** As a user of TypeScript writes it: `requestAdapter` may find none. */
const example = readmeExample().code.replace(
  'navigator.gpu.requestAdapter();',
  'navigator.gpu.requestAdapter().then((found) => found!);',
);

test.for(
  COMPILERS.flatMap((compiler) => [true, false].map((skipLibCheck) => ({ ...compiler, skipLibCheck }))),
)('$name, skipLibCheck $skipLibCheck', async ({ name, hasWebGpu, skipLibCheck }) => {
  const folder = join(inject('userFolder'), `${name}-${skipLibCheck}`);
  mkdirSync(join(folder, 'node_modules/@webgpu'), { recursive: true });
  if (!hasWebGpu)
    symlinkSync(resolve('node_modules/@webgpu/types'), join(folder, 'node_modules/@webgpu/types'));
  const constants = "import { bufferUsage as GPUBufferUsage } from 'webgpu-optim';\n";
  // Of the other entry points, those that need no framework.
  const others = "export * from 'webgpu-optim/outer';\nexport * from 'webgpu-optim/safetensors';\n";
  const code = `${hasWebGpu ? constants : ''}${example}\nexport { first };\n${others}`;
  writeFileSync(join(folder, 'example.ts'), code);
  const compilerOptions = {
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2023', 'dom'],
    types: hasWebGpu ? [] : ['@webgpu/types'],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck,
    noEmit: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }));
  const tsc = resolve('node_modules', name, 'bin/tsc');
  const told = await run(process.execPath, [tsc, '-p', folder]).catch((error: { stdout: string }) => error);
  expect(told.stdout).toBe('');
});
