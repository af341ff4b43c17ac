/** The Python of docs/checkpoints.md: test/fixtures/recorded/checkpoint/record.py has run it on a checkpoint of ours. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readManifest } from '../../src/checkpoint/manifest.js';
import { readSafetensors } from '../../src/safetensors/index.js';
import { emitCheckpoint } from '../fixtures/recorded/checkpoint/emit.js';
import recorded from '../fixtures/recorded/checkpoint/recorded.json' with { type: 'json' };

const page = readFileSync(new URL('../../docs/checkpoints.md', import.meta.url), 'utf8');

test('what was run is what the page shows, by the versions that it names', () => {
  const blocks = Array.from(page.matchAll(/```python\n(.*?)```/gs), ([, block]) => block);
  // To be recorded anew if not.
  expect(recorded.blocks).toEqual(blocks);
  const { torch, safetensors } = recorded.versions;
  expect(page).toContain(`with PyTorch ${torch} and safetensors ${safetensors}.`);
});

test('each is about ten lines', () => {
  for (const block of recorded.blocks) {
    const lines = block.split('\n').filter((line) => line !== '' && !/^(import|from) /.test(line));
    expect(lines.length).toBeLessThanOrEqual(15);
  }
});

test('what Python read is what we write', async () => {
  expect(Buffer.from(await emitCheckpoint()).toString('base64')).toBe(recorded.ours.file);
});

test('Python refuses each file of which it changed a bit', () => {
  const { changed, refused } = recorded.hostile;
  expect(changed).toBe(Buffer.from(recorded.ours.file, 'base64').byteLength - 8);
  expect(refused).toBe(changed);
});

test('what Python wrote has the steps that it made', async () => {
  const { metadata } = await readSafetensors(Uint8Array.from(Buffer.from(recorded.theirs.file, 'base64')));
  const { dict } = readManifest(metadata);
  const made = recorded.ours.steps.length;
  expect(dict).toMatchObject({
    rule: 'adam',
    step: 100 + made,
    groups: [{ steps: [100 + made, 97 + made] }],
  });
});
