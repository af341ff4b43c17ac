import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GpuSession } from '../../bench/gpu/session-report.js';
import type { Results } from '../../lab/measuring/rows.js';
import { swiftShaderDriver } from '../../scripts/find-browser.js';

const run = promisify(execFile);
const driver = process.platform === 'linux' ? swiftShaderDriver() : undefined;
const BUILD_AND_MEASURE_MS = 240_000;

let outDir: string;

beforeAll(async () => {
  if (driver === undefined) return;
  // In node_modules, where the built file finds the package that it does not contain.
  outDir = await mkdtemp(join('node_modules', '.bench-test-'));
  await build({
    configFile: 'bench/vite.config.ts',
    logLevel: 'error',
    build: { outDir: join(process.cwd(), outDir) },
  });
}, BUILD_AND_MEASURE_MS);

afterAll(async () => {
  if (driver !== undefined) await rm(outDir, { recursive: true });
});

/** Runs a built program. Chrome brings a Vulkan loader, too, for machines that have none. */
const runBuilt = (program: string, options: string, environment: Record<string, string> = {}) =>
  run(process.execPath, [join(outDir, program), ...options.split(' ')], {
    env: { ...process.env, LD_LIBRARY_PATH: dirname(driver!), ...environment },
  });

// The tests of Dawn without a browser. They need the SwiftShader of an installed Chrome or Chromium.
test.skipIf(driver === undefined)(
  'npm run bench -- --runtime node --json prints one JSON object and nothing else',
  async () => {
    const { stdout, stderr } = await runBuilt(
      'bench.js',
      '--runtime node --quick --sizes 1e4,2x1e3 --rules adam --peers ours,limit,naive,tfjs --json',
    );
    const results = JSON.parse(stdout) as Results;
    expect(results.adapter).toContain('swiftshader');
    expect(results.browser).toMatch(/^Node \d+\.\d+, Dawn \(webgpu \d+\.\d+\.\d+\)$/);
    expect(new Date(results.date).toISOString()).toBe(results.date);
    expect(results.rows.map(({ peer, case: text }) => [text, peer])).toEqual([
      ['1e4', 'ours'],
      ['1e4', 'limit'],
      ['1e4', 'naive'],
      ['2x1e3', 'ours'],
      ['2x1e3', 'limit'],
      ['2x1e3', 'naive'],
    ]);
    for (const row of results.rows) {
      const { rule, medianMs, minMs, gpuMs, elementsPerSecond, gbPerSecond, fractionOfLimit, cpuMs } = row;
      expect(rule).toBe('adam');
      for (const value of [medianMs, minMs, gpuMs, elementsPerSecond, gbPerSecond, fractionOfLimit, cpuMs]) {
        expect(value).toBeGreaterThan(0);
      }
      const { dispatches, submits, newObjects } = row;
      // Ours steps small tensors together.
      const expected = row.case === '2x1e3' && row.peer === 'naive' ? 2 : 1;
      expect({ dispatches, submits, newObjects }).toEqual({
        dispatches: expected,
        submits: 1,
        newObjects: 0,
      });
    }
    expect(stderr).toContain('need a browser: tfjs.');
  },
  BUILD_AND_MEASURE_MS,
);

test.skipIf(driver === undefined)(
  'the program of the GPU bundle probes, proves and times, and saves what it found',
  async () => {
    const out = join(outDir, 'results');
    const { stdout } = await runBuilt(
      'gpu.js',
      `--quick --sizes 1e3 --rules sgd --skip torch --seed 1 --out ${out}`,
      { VK_DRIVER_FILES: driver!, VK_ICD_FILENAMES: driver! },
    );
    const folder = join(out, 'swiftshader-device-subzero');
    const files = await readdir(folder);
    expect(files.map((file) => extname(file)).toSorted()).toEqual(['.json', '.md']);
    const [json, markdown] = await Promise.all(
      files.toSorted().map((file) => readFile(join(folder, file), 'utf8')),
    );
    expect(markdown).toBe(stdout);
    const session = JSON.parse(json!) as GpuSession;
    expect(session.numerics).toContainEqual({ question: 'a / b', answer: 'exactly rounded' });
    expect(session.parity!.map(({ rule, failed }) => [rule, failed])).toEqual([['sgd', 0]]);
    expect(session.parity![0]!.sameBits).toBe(session.parity![0]!.cases);
    expect(session.bench!.rows.map(({ peer }) => peer)).toEqual(['ours', 'limit', 'copy']);
    expect(session.shapes).toHaveLength(9);
    for (const row of session.shapes!) {
      expect(row).toMatchObject({
        case: '1e3',
        shape: expect.stringMatching(/^(64|128|256)×[124]$/) as string,
      });
      expect(row.minMs).toBeGreaterThan(0);
    }
    expect(session.torch).toBeNull();
  },
  BUILD_AND_MEASURE_MS,
);
