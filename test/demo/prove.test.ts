import { afterAll, beforeAll, expect, test } from 'vitest';
import { rules } from '../../src/index.js';
import { Visitor, browserKind } from '../support/site-visit.js';

let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

const figure = async (id: string): Promise<number> => Number.parseInt(await visitor.text(`#${id}`), 10);

async function concluded(): Promise<void> {
  await visitor.page.waitForFunction(() =>
    /runs/u.test(document.querySelector('#status')?.textContent ?? ''),
  );
}

test('rules pass one after the other until stopped, and the adapter’s arithmetic is told', async () => {
  const page = await visitor.open('prove/', 'wide', '?seed=11&start');
  // All rules are run in the project `chrome`; here it is about the page.
  await page.waitForFunction(() => document.querySelectorAll('#parity tbody tr').length > 1);
  await page.click('#stop');
  await concluded();
  const [passed, same] = [await figure('passed'), await figure('same-bits')];
  expect(await figure('failed')).toBe(0);
  expect(await visitor.text('#status')).toBe(`Stopped: all ${passed} runs passed.`);
  const names = await page.$$eval('#parity tbody td:first-child', (cells) =>
    cells.map((cell) => cell.textContent),
  );
  expect(names).toEqual(Object.keys(rules).slice(0, names.length));
  expect(passed).toBeGreaterThan(2 * names.length);
  expect(await page.$$eval('#parity thead tr', (headings) => headings.length)).toBe(1);
  const bound = await figure('of-bound');
  expect(bound).toBeGreaterThan(0);
  expect(bound).toBeLessThanOrEqual(100);
  const arithmetic = await visitor.text('#arithmetic');
  // Chrome's adapter that never contracts is SwiftShader, and there every bit must be the twin's.
  const isSwiftShader =
    browserKind === 'chrome' && arithmetic.includes('a * b + ca * b is rounded before the addition');
  if (isSwiftShader) expect(same).toBe(passed);
  await visitor.screenshot('prove');
  expect(visitor.complaints).toEqual([]);
});

test('a kernel that computes something else is found out', async () => {
  await visitor.page.evaluateOnNewDocument(() => {
    const methods = GPUDevice.prototype as unknown as Record<
      string,
      (descriptor: { code: string }) => unknown
    >;
    const create = methods['createShaderModule']!;
    methods['createShaderModule'] = function broken(this: unknown, descriptor) {
      // The moments' interpolation, a third too fast.
      const code = descriptor.code.replace(
        /return (\w) ?\+ ?(\w) ?\* ?\((\w) ?- ?\1\);/,
        'return $1 + 1.3 * $2 * ($3 - $1);',
      );
      return create.call(this, { ...descriptor, code });
    };
  });
  await visitor.open('prove/', 'wide', '?seed=11&rule=adam&start');
  await concluded();
  expect(await figure('failed')).toBeGreaterThan(0);
  expect(await figure('passed')).toBe(0);
  expect(await visitor.text('#status')).toMatch(/^Done: \d+ of \d+ runs FAILED\.$/u);
  expect(await visitor.text('#failures')).toMatch(/adam: defaults.*got .*, want /u);
});
