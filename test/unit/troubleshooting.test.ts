/** docs/troubleshooting.md has a heading for every code of an error, so that `troubleshooting#<code>` leads to it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { adam, defineRule } from '../../src/index.js';
import { errorOf } from '../support/error-of.js';

const page = readFileSync('docs/troubleshooting.md', 'utf8');
const [type] = /(?<=export type OptimizerErrorCode =)[^;]+/u.exec(readFileSync('src/errors.ts', 'utf8'))!;
const codes = [...type.matchAll(/'(?<code>[a-z-]+)'/gu)].map(({ groups }) => groups!['code']!);
const sections = new Map(
  page
    .split(/^## /mu)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text] as const),
);

test('every code has its section, and no other has', () => {
  expect(codes.length).toBeGreaterThan(10);
  expect([...sections.keys()]).toEqual(codes);
});

test('an error leads to its section, at the address of the package', async () => {
  const { repository } = JSON.parse(readFileSync('package.json', 'utf8')) as { repository: { url: string } };
  const { help } = await errorOf(() => adam({ lr: -1 }));
  const address = repository.url.replace(/^git\+/u, '').replace(/\.git$/u, '');
  expect(help).toBe(`${address}/blob/main/docs/troubleshooting.md#invalid-option`);
});

describe.each(codes)('%s', (code) => {
  test('has messages, a cause and a remedy', () => {
    expect(sections.get(code)).toMatch(
      /^\*\*Messages\*\*\n\n- `.+\n[^]*^\*\*Cause\.\*\* [^]*^\*\*Remedy\.\*\* /mu,
    );
  });
});

test.each([
  ['invalid-option', () => adam({ lr: -1 })],
  ['invalid-option', () => adam({ learningRate: 1 } as never)],
  ['invalid-rule', () => defineRule({} as never)],
])('a message of %s is quoted as it is thrown', async (code, call) => {
  const error = await errorOf(call);
  expect(error).toMatchObject({ code });
  const quoted = [...sections.get(code)!.matchAll(/^- `(?<text>[^`]*?)(?:…)?`$/gmu)].map(({ groups }) =>
    groups!['text']!.trimEnd(),
  );
  expect(
    quoted.some((text) => error.message.includes(text)),
    error.message,
  ).toBe(true);
});
