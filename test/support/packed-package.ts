/** vitest's global setup of the tests of the package: builds and packs it as a release does, and unpacks it where a user's code finds it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { stagePackage } from '../../scripts/package/stage.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A user's folder, whose node_modules has the package alone. */
    userFolder: string;
    /** Bytes of the tarball. */
    tarballByteLength: number;
  }
}

export default function packPackage(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-package-'));
  const npm = (...args: string[]) =>
    execFileSync('npm', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      // vitest's would be built in.
      env: { ...process.env, NODE_ENV: 'production' },
    });
  npm('run', '--silent', 'build');
  stagePackage(resolve('.'), join(folder, 'staged'));
  const tarball = npm('pack', join(folder, 'staged'), '--silent', '--pack-destination', folder).trim();
  const user = join(folder, 'user');
  const installed = join(user, 'node_modules/webgpu-optim');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
  writeFileSync(join(user, 'package.json'), '{ "type": "module" }');
  project.provide('userFolder', user);
  project.provide('tarballByteLength', statSync(join(folder, tarball)).size);
  return () => rmSync(folder, { recursive: true });
}
