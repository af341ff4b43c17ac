import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Visitor } from '../support/site-visit.js';

let visitor: Visitor;
beforeAll(async () => {
  visitor = await Visitor.arrive();
});
afterAll(() => visitor.leave());

/** Waits until the race has come to its end. */
async function waitForEnd(): Promise<void> {
  await visitor.page.waitForFunction(() =>
    document.querySelector('#status')?.textContent?.startsWith('Done'),
  );
}

/** The table of a verdict: per row its label and a value per racer, as numbers; percent signs are dropped. */
async function figures(): Promise<Record<string, number[]>> {
  const rows = await visitor.page.$$eval('#figures tbody tr', (all) =>
    all.map((row): [string, string[]] => [
      row.querySelector('th')?.textContent ?? '',
      [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? ''),
    ]),
  );
  return Object.fromEntries(rows.map(([label, values]) => [label, values.map((text) => parseFloat(text))]));
}

/** Tells a story with few particles, and returns its numbers. A phone's map is quick to draw in software. */
async function tell(story: string): Promise<Record<string, number[]>> {
  await visitor.open('race/', 'phone', `?story=${story}&particles=128&speed=64`);
  await waitForEnd();
  await visitor.page.waitForSelector('#verdict:not([hidden])');
  await visitor.screenshot(`race-${story}`);
  expect(visitor.complaints).toEqual([]);
  return await figures();
}

describe('the claims of lectures', () => {
  test('Adagrad: short of the minimum where RMSprop arrives, but it does not stop', async () => {
    const measured = await tell('adagrad-stops');
    const [adagrad, rmsprop, larger] = measured['Distance after 800 steps']!;
    const [halfway] = measured['Distance after 400 steps']!;
    // Steps of η/√t add up to 2η√t, with η = 0.05 over slopes that differ by less than 2 %.
    const went = measured['Distance at the start']![0]! - adagrad!;
    expect(went / (2 * 0.05 * Math.sqrt(800))).toBeCloseTo(1, 1);
    expect(halfway! - adagrad!).toBeGreaterThan(0.5);
    expect(rmsprop).toBeLessThan(0.05);
    expect(larger).toBeLessThan(rmsprop!);
    expect(await visitor.text('#outcome')).toBe('The claim holds in part.');
  });

  test('RMSprop follows a moving minimum that Adagrad loses', async () => {
    const measured = await tell('rmsprop-goes-on');
    const [adagradFirst, rmspropFirst] = measured['Distance after 1 round']!;
    const [adagrad, rmsprop] = measured['Distance after 6 rounds']!;
    expect(rmsprop! / rmspropFirst!).toBeLessThan(1.5);
    expect(adagrad! / adagradFirst!).toBeGreaterThan(4);
    expect(await visitor.text('#outcome')).toBe('The claim holds.');
  });

  test('Momentum rolls out of local minima, and out of the best one, too', async () => {
    const measured = await tell('momentum-rolls-out');
    const [descent, light, heavy] = measured['Found the best basin']!;
    expect(descent).toBe(0);
    expect(light).toBeGreaterThan(0);
    expect(heavy).toBeGreaterThan(light!);
    const [stays, , leaves] = measured['Left the best basin']!;
    expect(stays).toBe(0);
    expect(leaves).toBeGreaterThan(0);
    expect(await visitor.text('#outcome')).toBe('The claim holds in part.');
  });

  test('Adam without bias correction: longer first steps, unless β₂ is small', async () => {
    const measured = await tell('adam-first-steps');
    // Shown with three digits.
    expect(measured['Step 1, measured']).toEqual([1, 3.16, 0.316]);
    expect(measured['Step 2, measured']).toEqual(measured['Step 2, by the equations']);
    expect(await visitor.text('#outcome')).toBe('The claim holds in part.');
  });
});

describe('a free race', () => {
  /** What the cards say: median height and share at a minimum, per racer. */
  const standings = (): Promise<[number, number][]> =>
    visitor.page.$$eval('.standing', (all) =>
      all.map((list): [number, number] => {
        const [height, arrived] = [...list.querySelectorAll('dd')].map((dd) =>
          parseFloat(dd.textContent ?? ''),
        );
        return [height ?? NaN, arrived ?? NaN];
      }),
    );

  test('is descended by all racers, and looks as it should', async () => {
    for (const theme of ['light', 'dark'] as const) {
      await visitor.choose(theme);
      await visitor.open('race/', 'wide', '?particles=512&stop=96&speed=8&start=ring');
      await waitForEnd();
      await visitor.screenshot(`race-${theme}`);
    }
    const all = await standings();
    expect(all).toHaveLength(4);
    // Plain descent has come down Himmelblau's walls after 96 steps: 1 − 2 · 0.002 · 26 per step at the flattest minimum.
    expect(all[0]![0]).toBeLessThan(1);
    expect(all[0]![1]).toBeGreaterThan(50);
    expect(visitor.complaints).toEqual([]);
  });

  test('takes other options while it goes on, and says what is not allowed', async () => {
    const page = await visitor.open('race/', 'phone', '?particles=16&stop=8&speed=4&racer=sgd%3Blr%3D0');
    await waitForEnd();
    const [[height]] = (await standings()) as [[number, number]];
    await page.$eval('.rate-number', (field) => {
      (field as HTMLInputElement).value = '0.002';
      field.dispatchEvent(new Event('change'));
    });
    expect(new URL(page.url()).searchParams.getAll('racer')).toEqual(['sgd;lr=0.002']);
    await page.click('#step');
    await page.waitForFunction(
      (before) => parseFloat(document.querySelector('.standing dd')?.textContent ?? '') < before,
      {},
      height,
    );
    await page.select('.racer select', 'lamb');
    expect(await visitor.text('.racer details')).toContain('all particles together');
    await page.$eval('details', (details) => (details.open = true));
    await page.select('.racer select', 'momentum');
    await page.$$eval('.option', (all) => {
      const field = (name: string) => all.find((label) => label.textContent === name)?.querySelector('input');
      const [nesterov, dampening] = [field('nesterov')!, field('dampening')!];
      dampening.value = '0.5';
      dampening.dispatchEvent(new Event('change'));
      nesterov.click();
    });
    expect(await visitor.text('#notice')).toContain('nesterov');
    expect(await visitor.scrollsSideways()).toBe(false);
    expect(visitor.complaints).toEqual([]);
  });

  test('makes no GPU objects while it runs', async () => {
    await visitor.page.evaluateOnNewDocument(() => {
      const made = { count: 0 };
      Object.assign(globalThis, { made });
      // Firefox runs this for the empty page before, too, which has no WebGPU.
      if (!('GPUDevice' in globalThis)) return;
      const names = ['createBuffer', 'createTexture', 'createBindGroup', 'createShaderModule'] as const;
      for (const name of names) {
        const create = GPUDevice.prototype[name] as (this: GPUDevice, descriptor: never) => unknown;
        const counted = function (this: GPUDevice, descriptor: never): unknown {
          made.count++;
          return create.call(this, descriptor);
        };
        Object.assign(GPUDevice.prototype, { [name]: counted });
      }
    });
    await visitor.open('race/', 'phone', '?particles=16&stop=0&speed=4&surface=moving-bowl');
    const madeAfter = async (step: number): Promise<number> => {
      await visitor.page.waitForFunction(
        (least) => parseInt(document.querySelector('#step-count')?.textContent?.slice(5) ?? '') > least,
        {},
        step,
      );
      return await visitor.page.evaluate(
        () => (globalThis as unknown as { made: { count: number } }).made.count,
      );
    };
    const early = await madeAfter(20);
    expect(early).toBeGreaterThan(0);
    expect(await madeAfter(100)).toBe(early);
    expect(visitor.complaints).toEqual([]);
  });

  test('goes on after its page is loaded again', async () => {
    const page = await visitor.open('race/', 'phone', '?stop=0');
    for (let loads = 0; loads < 3; loads++) {
      await page.waitForFunction(
        () => parseInt(document.querySelector('#step-count')?.textContent?.slice(5) ?? '') > 4,
      );
      await page.reload({ waitUntil: 'load' });
    }
    expect(visitor.complaints).toEqual([]);
  });

  test('a wrong address is said', async () => {
    await visitor.open('race/', 'phone', '?surface=hill&particles=16');
    expect(await visitor.text('#problem li')).toContain('surface "hill"');
  });
});
