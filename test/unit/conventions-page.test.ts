import { expect, test } from 'vitest';
import { conventionsPage } from '../support/conventions-page.js';

test('docs/conventions.md is up to date; `npm run docs` makes it', async () => {
  await expect(await conventionsPage()).toMatchFileSnapshot('../../docs/conventions.md');
});
