import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runtimesPage } from '../../runtimes/docs-page.js';
import records from '../../runtimes/records.json';
import type { RuntimeReport } from '../../runtimes/report.js';
import { conventionsPage } from '../support/conventions-page.js';
import { limitsPage } from '../support/limits-page.js';
import { allPages, typesOf } from '../support/pages.js';
import { onnxPage } from '../support/onnx-page.js';
import { rulesPage } from '../support/rules-page.js';

test.each([
  ['conventions', conventionsPage],
  ['limits', limitsPage],
  ['onnx', onnxPage],
  ['rules', rulesPage],
  ['runtimes', () => runtimesPage(records as unknown as RuntimeReport[])],
])('docs/%s.md is up to date; `npm run docs` makes it', async (name, makePage) => {
  await expect(await makePage()).toMatchFileSnapshot(`../../docs/${name}.md`);
});

const typed = allPages().flatMap(([page, text]) => {
  const types = typesOf(page, text);
  return types === undefined ? [] : [[page, types] as const];
});

test.each(typed)('the compiler sees the TypeScript of %s; `npm run docs` copies it', async (page, types) => {
  const name = page.replaceAll(/^docs\/|\.md$/g, '').replaceAll('/', '-');
  await expect(types).toMatchFileSnapshot(`../types/page-${name}.ts`);
});

test('docs/determinism.md names tests that are there', () => {
  const page = readFileSync('docs/determinism.md', 'utf8');
  const named = [...page.matchAll(/`(?<file>[a-z0-9-]+\/[a-z0-9-]+)#(?<title>[^`]+)`/gu)].map(
    ({ groups }) => groups!,
  );
  expect(named.length).toBeGreaterThan(8);
  for (const { file, title } of named) {
    // As it is written: what a title is put together from stands around it.
    expect(readFileSync(`test/${file}.test.ts`, 'utf8').replaceAll("\\'", "'"), `${file}#${title}`).toContain(
      title,
    );
  }
});
