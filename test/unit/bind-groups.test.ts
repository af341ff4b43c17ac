import { expect, test } from 'vitest';
import { BindGroups } from '../../src/gpu/bind-groups.js';

const layout = {} as GPUBindGroupLayout;

/** A device that counts the bind groups that it makes, and a cache on it. */
function makeCache() {
  const made: GPUBindGroupDescriptor[] = [];
  const device = {
    createBindGroup: (descriptor: GPUBindGroupDescriptor) => {
      made.push(descriptor);
      return { descriptor };
    },
  } as unknown as GPUDevice;
  return { cache: new BindGroups(device), made };
}

const buffersOf = (count: number) => Array.from({ length: count }, () => ({})) as GPUBuffer[];

test('bind groups are found again, in whatever order buffers, ranges and layouts come', () => {
  const { cache, made } = makeCache();
  const [a, b] = buffersOf(2) as [GPUBuffer, GPUBuffer];
  const asked: [GPUBindGroupLayout, GPUBufferBinding[]][] = [
    [layout, [{ buffer: a }, { buffer: b }]],
    [layout, [{ buffer: b }, { buffer: a }]],
    [layout, [{ buffer: a }]],
    [layout, [{ buffer: a, offset: 256 }]],
    [layout, [{ buffer: a, offset: 256, size: 16 }]],
    [layout, [{ buffer: a, size: 256 }]],
    [layout, [{ buffer: a, offset: 16, size: 256 }]],
    [
      layout,
      [
        { buffer: a, offset: 1, size: 23 },
        { buffer: a, offset: 4, size: 5 },
      ],
    ],
    [
      layout,
      [
        { buffer: a, offset: 1, size: 2 },
        { buffer: a, offset: 34, size: 5 },
      ],
    ],
    // Their ranges are of one number.
    ...[
      [4, 35],
      [5, 4],
    ].map((sizes): [GPUBindGroupLayout, GPUBufferBinding[]] => [
      layout,
      sizes.map((size) => ({ buffer: a, size })),
    ]),
    [{} as GPUBindGroupLayout, [{ buffer: a }]],
  ];
  const get = () => asked.map(([of, resources]) => cache.get(of, resources, 'label'));
  const first = get();
  expect(new Set(first).size).toBe(asked.length);
  expect(get()).toEqual(first);
  expect(made).toHaveLength(asked.length);
  expect(made[4]).toEqual({
    label: 'label',
    layout,
    entries: [{ binding: 0, resource: { buffer: a, offset: 256, size: 16 } }],
  });
  expect([...made[1]!.entries].map(({ binding }) => binding)).toEqual([0, 1]);
});

test('there are only so many kept: then all are forgotten, and made again when they are asked for', () => {
  const { cache, made } = makeCache();
  const buffers = buffersOf(257);
  const get = (k: number) => cache.get(layout, [{ buffer: buffers[k]! }], 'label');
  for (let round = 0; round < 2; round++) for (let k = 0; k < 256; k++) get(k);
  expect(made).toHaveLength(256);
  get(256);
  get(256);
  expect(made).toHaveLength(257);
  get(0);
  expect(made).toHaveLength(258);
});

test('where more are in use, more are kept', () => {
  const { cache, made } = makeCache();
  cache.expect(5);
  const buffers = buffersOf(320);
  for (let round = 0; round < 2; round++)
    for (const buffer of buffers) cache.get(layout, [{ buffer }], 'label');
  expect(made).toHaveLength(320);
});
