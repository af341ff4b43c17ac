import { expect } from 'vitest';
import readme from '../../README.md?raw';
import { Optimizer, adam } from '../../src/index.js';
import { gpuTest } from '../support/device.js';

/** What the example imports. */
const library: Record<string, unknown> = { Optimizer, adam };

gpuTest("the README's example runs, and gives the number that it says", async () => {
  const [, code] = /```js\n(.*?)```/s.exec(readme)!;
  const [, names] = /import \{ (.*) \} from 'webgpu-optim';\n/.exec(code!)!;
  const body = code!.replace(/import .*\n/, '');
  const [, promised] = /\/\/ (-?[\d.]+)\n$/.exec(body)!;
  expect(body.trim().split('\n').length).toBeLessThanOrEqual(15);
  const AsyncFunction = (async () => undefined).constructor as new (...args: string[]) => Function;
  const example = new AsyncFunction(...names!.split(', '), `${body}; device.destroy(); return first;`);
  const result: unknown = await example(...names!.split(', ').map((name) => library[name]!));
  expect(result).toBeCloseTo(Number(promised), 6);
});
