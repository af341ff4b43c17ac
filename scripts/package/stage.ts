/** The folder that is published: what package.json's `files` name, texts whose links lead somewhere wherever they are read, a manifest without what only this repository needs. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { absoluteLinks } from './absolute-links.js';

interface Manifest {
  readonly version: string;
  readonly files: readonly string[];
  readonly repository: { readonly url: string };
  readonly [field: string]: unknown;
}

/** Fields that mean nothing to who installs the package. */
const OURS = ['scripts', 'devDependencies', 'overrides'];

/**
 * Stages the package. `npm run build` comes first.
 *
 * @param root the repository.
 * @param target a folder that is made anew.
 */
export function stagePackage(root: string, target: string): void {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const published = Object.fromEntries(Object.entries(manifest).filter(([field]) => !OURS.includes(field)));
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(published, undefined, 2)}\n`);
  for (const path of [...manifest.files, 'LICENSE']) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    cpSync(join(root, path), join(target, path), { recursive: true });
  }
  const home = manifest.repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
  for (const name of ['README.md', 'CHANGELOG.md']) {
    const text = readFileSync(join(root, name), 'utf8');
    writeFileSync(join(target, name), absoluteLinks(text, home, `v${manifest.version}`));
  }
}
