import { expect, test, vi } from 'vitest';
import type { PeerSummary } from '../../demo/headless/fleet/protocol.js';
import { parseFleetCommand } from '../../scripts/fleet/command.js';
import { fleetRecord, formatFleet } from '../../scripts/fleet/results.js';

const parse = (...words: string[]) => parseFleetCommand(['node', 'fleet', ...words]);

test('a command line of npm run fleet is parsed', () => {
  expect(parse()).toMatchObject({ task: 'digits', peers: 4, compressions: ['none'], one: true, kill: false });
  expect(parse('--peers', '2', '--compress', 'topk', '--no-one', '--poison')).toMatchObject({
    peers: 2,
    compressions: ['topk'],
    one: false,
    poison: true,
  });
  expect(parse('--all').compressions).toEqual(['none', 'bf16', 'int8', 'topk']);
});

test.for([
  [['--peers', '0'], '"0" is no integer from 1 to 32'],
  [['--compress', 'zip'], 'Allowed choices are none, bf16, int8, topk'],
  [['--all', '--compress', 'int8'], 'cannot be used with'],
  [['--task', 'race'], 'Allowed choices are digits, moby-dick'],
] as const)('%j is a mistake', ([words, message]) => {
  const error = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    expect(() => parse(...words)).toThrow(message);
  } finally {
    error.mockRestore();
  }
});

test('results are those of a peer that has the weights of the fleet', () => {
  const summary = (given: Partial<PeerSummary>): PeerSummary => ({
    elementCount: 100,
    steps: 10,
    loss: 0.5,
    accuracy: 0.75,
    sentByteLength: 400,
    hasAnchor: true,
    weights: 'ab',
    ...given,
  });
  const all = {
    command: parse('--peers', '3', '--poison'),
    alone: summary({ loss: 0.25 }),
    results: [
      {
        compression: 'none' as const,
        summaries: [summary({ hasAnchor: false, weights: 'cd', loss: 9 }), summary({}), summary({})],
        events: ['somebody was killed'],
        poisonRefused: 8,
        adapter: 'swiftshader',
      },
    ],
  };
  expect(fleetRecord(all)).toMatchObject({
    alone: { loss: 0.25 },
    fleets: [{ loss: 0.5, bytesPerStep: 40, dataParallelBytesPerStep: 400, sameBits: 2, finished: 3 }],
  });
  const text = formatFleet(all);
  for (const part of ['somebody was killed', 'refused in 8 of 8 rounds', '75.00 %', '1/10', '2 of 3']) {
    expect(text).toContain(part);
  }
});
