import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';

const installed = join(inject('userFolder'), 'node_modules/webgpu-optim');
const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly [field: string]: unknown;
};
const files = (readdirSync(installed, { recursive: true }) as string[]).filter((name) =>
  statSync(join(installed, name)).isFile(),
);

test('the package has what it promises, and nothing else', () => {
  expect(new Set(files.map((name) => name.split('/')[0]))).toEqual(
    new Set(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'examples', 'package.json']),
  );
  const targets = [manifest.exports, manifest.bin].flatMap((field) =>
    Object.values(field).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target))),
  );
  for (const target of targets) expect(existsSync(join(installed, target)), target).toBe(true);
  expect(files.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))).toEqual([]);
  for (const field of ['homepage', 'bugs', 'repository', 'license']) expect(manifest).toHaveProperty(field);
  for (const field of ['scripts', 'dependencies', 'devDependencies', 'overrides'])
    expect(manifest).not.toHaveProperty(field);
});

test('the package is no larger than it was', () => {
  // Of today's 1.50 MB four fifths are source maps; fleets are 0.17 MB of it.
  expect(inject('tarballByteLength')).toBeLessThanOrEqual(1_600_000);
});

test('each command starts, and tells its options', () => {
  for (const [name, path] of Object.entries(manifest.bin)) {
    expect(readFileSync(join(installed, path), 'utf8').startsWith('#!/usr/bin/env node\n'), name).toBe(true);
    const help = execFileSync(process.execPath, [join(installed, path), '--help'], { encoding: 'utf8' });
    expect(help).toContain(`Usage: ${name}`);
  }
});

test.for(['README.md', 'CHANGELOG.md'])("%s's links lead somewhere wherever it is shown", (name) => {
  const text = readFileSync(join(installed, name), 'utf8');
  const links = Array.from(text.matchAll(/(?:\]\(|(?:src|href)=")([^)"\s]+)/g), ([, target]) => target!);
  expect(links.length).toBeGreaterThan(5);
  const [blob, raw] = [
    'https://github.com/webgpu-optim/webgpu-optim/blob',
    'https://raw.githubusercontent.com/webgpu-optim/webgpu-optim',
  ];
  for (const link of links) {
    expect(link).toMatch(/^(?:https:|#)/);
    const inside = [blob, raw]
      .map((home) => `${home}/v${manifest.version}/`)
      .find((home) => link.startsWith(home));
    if (inside) expect(existsSync(link.slice(inside.length).split('#')[0]!), link).toBe(true);
    else expect(link).not.toContain('github.com/webgpu-optim/webgpu-optim/');
  }
});
