import axe from 'axe-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { home, pages } from '../../demo/pages.js';
import { drawn } from '../support/draw.js';
import { Visitor } from '../support/site-visit.js';

/** The rules of WCAG 2.0 and 2.1 at levels A and AA that a program can check. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];

/** How a page is brought to where it shows all it has, and a selector that it then matches. */
const scenes: Record<string, { readonly search: string; readonly until: string }> = {
  [home.path]: { search: '', until: '.cards' },
  playground: { search: '?recipe=first-run&start', until: '#output li' },
  race: { search: '?story=adam-first-steps&particles=16&speed=64', until: '#verdict:not([hidden])' },
  train: { search: '?task=moby-dick', until: '#start:not(:disabled)' },
  large: {
    search: '?width=128&table=12&network=light&batch=1024',
    until: '#start:not(:disabled)',
  },
  splats: { search: '?width=128&count=1000&steps=60&every=10&start', until: '#table-panel:not([hidden])' },
  throughput: { search: '?size=1e4&rounds=3&peers=naive&start', until: '#result:not([hidden])' },
  prove: { search: '?rule=sgd&seed=1&start', until: '#result:not([hidden])' },
};

let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

/** What WCAG has against the page as it is now: the rule, and the elements that break it. */
async function violations(): Promise<string[]> {
  return await visitor.page.evaluate(async (values) => {
    const run = (globalThis as unknown as { axe: typeof axe }).axe.run(document, {
      runOnly: { type: 'tag', values },
      resultTypes: ['violations'],
    });
    return (await run).violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
    );
  }, TAGS);
}

/** The same in both themes, wide and on a phone. */
async function violationsInAllLooks(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  // Half a megabyte: once for all looks.
  await visitor.page.evaluate(axe.source);
  for (const width of [1280, 390]) {
    await visitor.page.setViewport({ width, height: 800 });
    for (const theme of ['light', 'dark']) {
      await visitor.page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: theme },
        // Colours on their way from one theme to the other are none of either.
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ]);
      found[`${width} ${theme}`] = await violations();
    }
  }
  await visitor.page.emulateMediaFeatures([]);
  return found;
}

const nothing = { '1280 light': [], '1280 dark': [], '390 light': [], '390 dark': [] };

// Each look of each page is a walk over all its elements: half of the pages in a run of everything.
test.each(drawn([home, ...pages], 1))('$name breaks no rule of WCAG 2, A and AA', async ({ path }) => {
  const { search, until } = scenes[path]!;
  const page = await visitor.open(path && `${path}/`, 'wide', search);
  await page.waitForSelector(until);
  expect(await violationsInAllLooks()).toEqual(nothing);
});

test('nor does a page of the docs', async () => {
  const page = await visitor.open('docs/troubleshooting.html');
  await page.waitForSelector('.VPDocOutlineItem a, .VPSidebar');
  expect(await violationsInAllLooks()).toEqual(nothing);
});

test('nor does a page that says what to do without a GPU', async () => {
  await visitor.page.evaluateOnNewDocument(() => {
    if ('gpu' in navigator) GPU.prototype.requestAdapter = () => Promise.resolve(null);
  });
  const page = await visitor.open('prove/');
  await page.waitForSelector('#problem:not([hidden])');
  expect(await violationsInAllLooks()).toEqual(nothing);
});
