import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { findProgram } from '../../runtimes/find-program.js';
import type { RuntimeReport } from '../../runtimes/report.js';
import { LIMIT_MS, runInTerminal } from '../../runtimes/terminal.js';
import { makeUserFolder, readmeExample } from '../../runtimes/user-folder.js';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-runtimes-'));
  await makeUserFolder(folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe.for(['node', 'deno'] as const)('%s', (name) => {
  let report: RuntimeReport;
  beforeAll(async () => {
    report = await runInTerminal(name, folder, inject('adapter'));
    // A run that hangs is to be killed first, and to say so.
  }, LIMIT_MS + 10_000);

  test('nothing fails', () => expect(report.record.failures).toEqual([]));

  test("the README's example gives the number that it says", () => {
    expect(report.record.example).toBeCloseTo(readmeExample().promised, 6);
  });

  test('every rule stays within its bound, and on SwiftShader has the bits of the twin', () => {
    expect(report.record.rules.map(({ title }) => title.split(',')[0])).toEqual(
      'sgd momentum adagrad rmsprop adam adamw lion nadam lamb'.split(' '),
    );
    // SwiftShader, which Node has here, is exact to the bit.
    const isExact = name === 'node' && inject('adapter') === 'software';
    for (const { title, maxOfBound, sameBits } of report.record.rules) {
      // 0 would mean that nothing was compared.
      expect(maxOfBound, title).toBeGreaterThan(0);
      expect(maxOfBound, title).toBeLessThanOrEqual(1);
      if (isExact) expect(sameBits, title).toBe(true);
    }
  });

  test('a resumed run makes the same steps', () => {
    expect(report.record.resumed).toEqual(['bytes', 'a file']);
  });
});

test.for(['deno', 'bun'] as const)('an executable of %s that does not start is one clear error', (name) => {
  const variable = `${name.toUpperCase()}_PATH`;
  vi.stubEnv(variable, '/nowhere/to/be/found');
  expect(() => findProgram(name)).toThrow(
    `${variable} is "/nowhere/to/be/found", which does not start. Correct it,`,
  );
  vi.unstubAllEnvs();
  expect(findProgram(name).version).toMatch(/^\d+\.\d+\.\d+$/);
});
