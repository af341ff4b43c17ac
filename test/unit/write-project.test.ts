import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { TEMPLATES, writeProject } from '../../init/write-project.js';

const folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-init-'));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string) =>
  writeProject({ from: 'examples/wgsl', target: join(folder, name), version: '1.2.3' });
const manifestIn = (name: string) =>
  JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as {
    name: string;
    dependencies: Record<string, string>;
  };

test('every template is an example, and every example a template', () => {
  const folders = readdirSync('examples', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).toSorted()).toEqual(Object.keys(TEMPLATES).toSorted());
});

test('a project has the files of its template, a name that npm allows and the version that wrote it', () => {
  const files = write('My First Project!');
  expect(files.toSorted()).toEqual(['.gitignore', 'index.html', 'main.js', 'network.wgsl', 'package.json']);
  expect(readdirSync(join(folder, 'My First Project!')).toSorted()).toEqual(files.toSorted());
  expect(manifestIn('My First Project!')).toMatchObject({
    name: 'my-first-project-',
    dependencies: { 'webgpu-optim': '^1.2.3' },
  });
  write('模型');
  expect(manifestIn('模型').name).toBe('training');
});

test('an empty repository is an empty folder; one with a file in it is not', () => {
  mkdirSync(join(folder, 'fresh/.git'), { recursive: true });
  expect(write('fresh')).toContain('main.js');
  expect(() => write('fresh')).toThrow('is not empty, it has ".gitignore"');
  mkdirSync(join(folder, 'used'));
  writeFileSync(join(folder, 'used/notes'), 'mine');
  expect(() => write('used')).toThrow(
    `"${join(folder, 'used')}" is not empty, it has "notes"; name a folder`,
  );
  expect(() => write('used/notes')).toThrow('is a file; name a folder that is new or empty.');
  expect(readdirSync(join(folder, 'used'))).toEqual(['notes']);
});
