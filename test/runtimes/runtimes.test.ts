import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

test('schedules are the same numbers in every engine, but for the last bits of a float64', () => {
  const code = `import { schedules } from 'webgpu-optim';
const made = [
  schedules.cosine({ lr: 1, tMax: 1000 }),
  schedules.exponential({ lr: 1, gamma: 0.97, decaySteps: 7 }),
  schedules.polynomial({ lr: 1, totalIters: 1000, power: 1.5 }),
];
console.log(JSON.stringify(made.map((rate) => Array.from({ length: 1001 }, (_, step) => rate(step)))));`;
  writeFileSync(join(folder, 'schedules.js'), code);
  const [want, ...others] = (['node', 'deno', 'bun'] as const).map((name) => {
    const args = [...(name === 'deno' ? ['run', '--allow-read=.'] : []), 'schedules.js'];
    const env = {
      ...process.env,
      DENO_NO_PROMPT: '1',
      DENO_NO_UPDATE_CHECK: '1',
      DENO_DIR: `${folder}/.deno`,
    };
    return JSON.parse(
      execFileSync(findProgram(name).path, args, { cwd: folder, env, encoding: 'utf8' }),
    ) as number[][];
  });
  // Two results of `Math.cos` or `**`, which engines have to within some units in the last place, and three roundings behind each.
  const most = 2 * (4 + 3) * 2 ** -53;
  for (const rates of others) {
    for (const [k, list] of rates.entries())
      list.forEach((rate, step) =>
        expect(Math.abs(rate - want![k]![step]!), `${k} at step ${step}`).toBeLessThanOrEqual(most),
      );
  }
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
