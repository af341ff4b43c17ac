/** Runs the JavaScript of README.md and of all pages in docs/, each page as one program; see `example-pages.ts`. */
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import type { Destroyable, Track } from '../../proof/track.js';
import { gpuTest } from './device.js';

/** What a page's program may be given, and what it made, by name. */
type Names = Record<string, unknown>;
type Program = (
  given: Names,
  check: (place: string, made: readonly unknown[], promised: readonly unknown[]) => void,
  near: (value: number, tolerance: number) => unknown,
) => Promise<Names>;

interface World {
  readonly device: GPUDevice;
  readonly track: Track;
  /** Arguments of the page's calls of `console.log`. */
  readonly logged: readonly unknown[][];
}

/** What a test of a page does beside running it. */
export interface PageCase {
  /** The names that the page says it is given. */
  readonly given?: (world: World) => Names;
  /** Looks at what the page made. */
  readonly after?: (made: never, world: World) => void | Promise<void>;
}

// Beside the pages, docs/ holds what the generator of the site makes.
const texts = import.meta.glob<string>(
  ['../../README.md', '../../docs/**/*.md', '!../../docs/{api,node_modules,.vitepress}/**'],
  { query: '?raw', import: 'default', eager: true },
);
const programs = import.meta.glob<Program>(
  ['../../README.md', '../../docs/**/*.md', '!../../docs/{api,node_modules,.vitepress}/**'],
  { query: '?program', import: 'default' },
);

const NEEDS_PAGE =
  /^```js\n(?:(?!^```$).)*(?:navigator\.storage|new Worker\(|from '(?:@jax-js|@tensorflow|onnxruntime-web))/ms;

/**
 * A test per page with JavaScript.
 *
 * @param needsPage which pages: those that use what only a browser's page has, or the others.
 * @param cases what there is to do beside, by the page's path.
 */
export function testPages(needsPage: boolean, cases: Readonly<Record<string, PageCase>>): void {
  const pages = Object.entries(texts)
    .filter(([, text]) => /^```js\n/m.test(text) && NEEDS_PAGE.test(text) === needsPage)
    .map(([path]) => path);
  const nameOf = (path: string): string => path.replace('../../', '');

  test('every case has its page', () => {
    expect(pages.map(nameOf)).toEqual(expect.arrayContaining(Object.keys(cases)));
  });

  describe('the examples of', () => {
    const log = vi.spyOn(console, 'log');
    beforeEach(() => void log.mockReset().mockReturnValue());
    afterEach(() => void log.mockReset());
    // Both browsers run what only pages have; of many runs, each page in one of the two.
    const isOurs = (k: number): boolean =>
      !needsPage ||
      !inject('takesTurns') ||
      (inject('seed') + k) % 2 === Number(inject('runtime') === 'firefox');
    gpuTest.for(pages.filter((_, k) => isOurs(k)))('%s run', async (path, { device, track }) => {
      const { given, after } = cases[nameOf(path)] ?? {};
      const world = { device, track, logged: log.mock.calls };
      const program = await programs[path]!();
      const made = await program({ device, ...given?.(world) }, check, near);
      try {
        await after?.(made as never, world);
      } finally {
        // Frees what a page made; arrays of frameworks are a case's own business.
        for (const value of new Set(Object.values(made)))
          if (isDestroyable(value) && value !== device) value.destroy();
      }
    });
  });
}

const isDestroyable = (value: unknown): value is Destroyable =>
  typeof value === 'object' && value !== null && 'destroy' in value && typeof value.destroy === 'function';

const near = (value: number, tolerance: number): unknown =>
  tolerance === 0 ? value : expect.closeTo(value, -Math.log10(2 * tolerance));

function check(place: string, made: readonly unknown[], promised: readonly unknown[]): void {
  const [list] = made;
  const isSpread = made.length === 1 && isIterable(list) && !Array.isArray(promised[0]);
  expect(isSpread ? [...list] : made, place).toEqual(promised);
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;
