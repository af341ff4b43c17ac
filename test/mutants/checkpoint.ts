import { slipsIn } from './slip.js';

const test = (name: string) => [`gpu/checkpoint#${name}`];

export const checkpointSlips = [
  ...slipsIn(
    'src/engine/calls/state/noting.ts',
    ['gpu/checkpoint-python'],
    [['[elementCount / rowLength, rowLength]', '[elementCount]']],
  ),
  ...slipsIn('src/checkpoint/save.ts', test('without memory'), [
    ["release = guard.hold('saveCheckpoint()');", ''],
    ['    release();\n', ''],
    ['await file.discard().catch(() => undefined);', '', 'gpu/checkpoint#by its name'],
    ['await file.discard().catch', 'await file.discard().finally', 'gpu/checkpoint#sink that fails'],
  ]),
  ...slipsIn('src/checkpoint/verify.ts', test('cut or changed'), [
    ['if (want !== got)', 'if (want === "")'],
    ['if (want === undefined)', 'if (want === null)'],
  ]),
  ...slipsIn('src/checkpoint/load.ts', test('cut or changed'), [
    [
      'if (isStrict && hasParams && params.length',
      'if (hasParams && params.length',
      'gpu/checkpoint#lacks an average',
    ],
    [
      'run.setFrozen(new Set(loaded.filter(({ parameter }) => frozen',
      'void (new Set(loaded.filter(({ parameter }) => frozen',
      'gpu/checkpoint#100 steps',
    ],
    [
      'run.setFrozen(new Set(loaded.filter(({ parameter }) => !frozen',
      'void (new Set(loaded.filter(({ parameter }) => !frozen',
      'gpu/checkpoint#lacks an average',
    ],
    ['    rejectUnwritable(tensor);', '', 'gpu/checkpoint#of other sizes'],
  ]),
  ...slipsIn(
    'src/checkpoint/accept.ts',
    ['gpu/checkpoint#of other sizes'],
    [['byteLength === valuesByteLength(saved, valueCount)', 'byteLength > 0']],
  ),
  ...slipsIn('src/checkpoint/checksum.ts', test('cut or changed'), [
    ['[this.metadata, this.#tensors]', '[this.#tensors]'],
    ['blocks.push(toHex(await sha256(piece)));', ''],
    ['part : join(block, part)', 'part : part', 'gpu/checkpoint-large'],
    // The same to load what it saved, and not what Python computes.
    ['push([name, dtype, shape, blocks])', 'push([name, shape, dtype, blocks])', 'unit/checkpoint-python'],
  ]),
  ...slipsIn(
    'src/checkpoint/manifest.ts',
    ['unit/checkpoint-manifest'],
    [
      ['OTHER_NUMBERS.has(text)', 'text === undefined'],
      ['if (format !== FORMAT)', 'if (format === undefined)'],
      ['steps?.[k] ?? dict.step - joinedAt', 'steps?.[k] ?? dict.step'],
      ['steps?.[k] ?? dict.step - joinedAt', 'dict.step - joinedAt'],
    ],
  ),
  ...slipsIn(
    'src/checkpoint/byte-feed.ts',
    ['gpu/checkpoint#100 steps'],
    [
      ['this.#rest = this.#rest.subarray(piece.byteLength);', 'this.#rest = new Uint8Array(0);'],
      ['left -= piece.byteLength;', 'left = 0;', 'gpu/checkpoint-large'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/snapshot.ts',
    ['gpu/checkpoint#100 steps'],
    [
      ['isCopied ? placedIn(list, [...copies]) : list', 'list'],
      ['copy.destroy();', '', 'gpu/checkpoint-large'],
      [
        'if (position === buffer.size) [k, position]',
        'if (position === 0) [k, position]',
        'gpu/checkpoint-large',
      ],
      ['[...packings, ...copies.splice(0)]', '[...packings]', 'gpu/checkpoint-large'],
      ['found.sort((a, b) => order(kindOf(a), kindOf(b)));', ''],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/uploading.ts',
    ['gpu/checkpoint#restore'],
    [
      ['rowsBefore: 1', 'rowsBefore: 0', 'gpu/checkpoint#100 steps'],
      ['this.#position += byteLength;', ''],
      ['throw this.explain(met);', '', 'gpu/checkpoint#no memory to load'],
      ['for (const buffer of this.#buffers.splice(0)) buffer.destroy();', '', 'gpu/checkpoint-large'],
    ],
  ),
  ...slipsIn('src/engine/guard.ts', test('without memory'), [['this.rejectHeld(call);', '']]),
];
