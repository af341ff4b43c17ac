/** Slips in outer steps: src/outer and shaders/stages/outer. */
import { type Slip, slipsIn } from './slip.js';

const KERNELS = ['gpu/outer', 'gpu/outer-calls'];

export const outerSlips: readonly Slip[] = [
  ...slipsIn('shaders/stages/outer/found.wgsl', KERNELS, [
    ['anchor = w;', 'anchor = lane(0.0);'],
    ['base = w;', 'base = lane(0.0);'],
  ]),
  ...slipsIn('shaders/stages/outer/take.wgsl', KERNELS, [
    ['anchor - w', 'w - anchor'],
    ['taken = taken + pending;', 'taken = taken - pending;'],
    ['if (HAS_FEEDBACK)', 'if (!HAS_FEEDBACK)'],
    ['base = w;', 'base = anchor;'],
  ]),
  ...slipsIn('shaders/stages/outer/lift.wgsl', KERNELS, [
    ['select(w - base,', 'select(base - w,'],
    ['return anchor;', 'return w;'],
  ]),
  ...slipsIn('shaders/stages/outer/land.wgsl', KERNELS, [
    ['base = w;', 'base = w + progress;'],
    ['select(w + progress, w,', 'select(w - progress, w,'],
  ]),
  ...slipsIn(
    'shaders/stages/outer/drop.wgsl',
    ['gpu/outer-calls'],
    [
      ['base = lane(0.0);', ''],
      ['return anchor;', 'return w;'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/outer/keep.wgsl',
    ['gpu/outer#bf16', ...KERNELS],
    [['w - (anchor - base)', 'w + (anchor - base)']],
  ),
  ...slipsIn(
    'shaders/stages/outer/top-k.wgsl',
    ['gpu/outer'],
    [
      ['select(key, 0u, key < MIN_NORMAL)', 'key + 1u'],
      ['>= chunk.kept) {', '> chunk.kept) {'],
      ['before.y < wanted', 'before.y <= wanted'],
      ['min(before.y, wanted)', 'before.y'],
      ['(bits >> 31u) <<', '(bits >> 30u) <<'],
      ['keys[i] == threshold);\n    own_largest', 'keys[i] >= threshold);\n    own_largest'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/outer/add-chunks.wgsl',
    ['gpu/outer'],
    [
      ['numbers[element] + factor.x * value', 'numbers[element] + value'],
      ['shift > 32u - PLACE_BITS', 'shift > 32u'],
      ['select(2u, 0u, BITS == 32u)', '0u'],
      ['select(magnitude, -magnitude,', 'select(magnitude, magnitude,'],
      ['chunk.element + place', 'place'],
    ],
  ),
  ...slipsIn(
    'src/outer/deltas/top-k.ts',
    ['unit/outer', 'gpu/outer'],
    [
      ['place <= before || place >= count', 'place >= count', 'unit/outer-top-k'],
      ['place <= before || place >= count', 'place <= before', 'unit/outer-top-k'],
      ['Math.ceil(share * elementCount)', 'Math.floor(share * elementCount)'],
      ['if (!isFinite)', 'if (isFinite && false)'],
    ],
  ),
  ...slipsIn(
    'src/outer/deltas/compress.ts',
    ['unit/outer'],
    [
      ['(half & 0x7f80) !== 0x7f80', 'half !== 0x7f80'],
      ['let k = stride - 1;', 'let k = 0;'],
      ['topK <= 0.5;', 'topK < 1;'],
    ],
  ),
  ...slipsIn(
    'src/outer/deltas/together.ts',
    ['unit/outer'],
    [
      ['if (known.has(checksum))', 'if (false)'],
      ['if (peers.has(peer))', 'if (false)'],
      ['if (delta.round === round) continue;', 'continue;'],
      ['if (delta.round !== first!.round)', 'if (false)'],
      ['a.checksum < b.checksum ? -1 : 1', '-1'],
      ['if (given === elementCount) continue;', 'continue;'],
      ['Math.fround(samples / all)', 'Math.fround(1)'],
    ],
  ),
  ...slipsIn(
    'src/outer/deltas/delta.ts',
    ['unit/outer'],
    [
      ['if (version !== VERSION)', 'if (false)'],
      ['tensor.byteLength !== byteLengthOf(format, elementCount)', 'false'],
      ['if (complaint)', 'if (false)', 'unit/outer-top-k'],
    ],
  ),
  ...slipsIn(
    'src/outer/call-queue.ts',
    ['unit/outer', 'gpu/outer-calls'],
    [['this.#last ? this.#last.then(call) : call()', 'call()']],
  ),
  ...slipsIn(
    'src/outer/outer-optimizer.ts',
    ['gpu/outer-calls'],
    [
      ['checksum === this.#given', 'checksum !== this.#given'],
      ['session.mappingCount === this.#mappingCount &&', ''],
      ['Math.min(this.#stepsAtRound, asked)', 'asked'],
      ['asked - this.#stepsAtRound;', 'asked;'],
      ['if (run.isFrozen)', 'if (false)'],
      [
        'if (this.#restart) await this.#landRestart(call);\n    if (!this.run.isCurrent)',
        'if (!this.run.isCurrent)',
      ],
    ],
  ),
  ...slipsIn(
    'src/outer/outer-run.ts',
    ['gpu/outer-calls', 'gpu/outer'],
    [
      ['if (run.rows.isFrozen(tensor)) return [];', ''],
      ['this.anchor.encode(stepping, { skip: this.#frozen });', 'this.anchor.encode(stepping);'],
      ['if (this.#isTaken) memory.encodeKeeping(encoder);', ''],
      ['if (isKept) memory.encodeKeeping(encoder);', ''],
      ['for (const slab of memory.mean) encoder.clearBuffer(slab);', ''],
      ['this.#destroyPasses();\n      const { refusal }', 'const { refusal }'],
      ["keepProgress ? 'lift' : 'drop'", "'lift'"],
      ['if (isKept) copySlabs(encoder, memory.mean, memory.base);', ''],
      ['if (run) run.destroy();\n      else memory.destroy();', ''],
    ],
  ),
  ...slipsIn(
    'src/outer/simulation/simulate.ts',
    ['gpu/simulate-fleet'],
    [
      ['if (index > 0) await outer.loadSnapshot(first);', ''],
      ['draws[index]!.absence < absences', 'draws[index]!.dropout < absences'],
      ['.dropout >= dropouts)', '.dropout >= absences)'],
      ['samples: member.pendingSteps,', 'samples: 1,'],
      ['for (const member of arrived) member.pendingSteps = 0;', ''],
      [
        'for (const member of arrived) member.pendingSteps = 0;',
        'for (const member of present) member.pendingSteps = 0;',
      ],
      ['this.#means.delete(round - this.options.keepRounds);', ''],
      ['isDeltaTaken: false', 'isDeltaTaken: true'],
      ['keepProgress: true', 'keepProgress: false'],
      ['if (made !== every) {', 'if (made < every) {'],
      ['this.#loss = await lossOf(arrived[0]!);', ''],
      ['philox([round, peer, 0, 0]', 'philox([peer, round, 0, 0]'],
      ['outer?.destroy();\n        peer.destroy();', 'outer?.destroy();'],
    ],
  ),
  ...slipsIn(
    'src/outer/memory/exact-copies.ts',
    ['gpu/outer-calls#masterWeights', 'gpu/outer-calls'],
    [
      ['this.#encodePass(encoder, ({ loading }) => loading);', ''],
      ['this.#encodePass(encoder, ({ storing }) => storing);', ''],
      ['for (const each of [loading, storing, ...copies]) each.destroy();', ''],
      ['(slot === masters.slot ?', '(slot !== masters.slot ?'],
    ],
  ),
  ...slipsIn(
    'src/outer/memory/outer-memory.ts',
    ['gpu/outer-calls'],
    [
      ['  value.destroy();\n  throw refusalError', '  throw refusalError'],
      ['for (const { packing } of this.#others) packing.destroy();', ''],
      ['      memory.destroy();\n      throw error;', '      throw error;'],
    ],
  ),
  ...slipsIn(
    'src/outer/memory/codec-packing.ts',
    ['gpu/outer', 'gpu/outer-calls'],
    [
      ['codec.isScaled ? tensorsIn : wholeSlabs', 'wholeSlabs', 'gpu/outer#int8'],
      ['isBack ? 1 : 0', '0'],
      ['done += size;', ''],
    ],
  ),
  ...slipsIn(
    'src/outer/twin/reference-outer.ts',
    ['unit/outer', 'gpu/outer'],
    [
      ['this.#addPacked(-1)', 'this.#addPacked(1)'],
      ['this.#keep();\n      this.#anchor.step', 'this.#anchor.step'],
      ['pending.fill(0);\n      }\n      this.#anchor', '}\n      this.#anchor'],
    ],
  ),
];
