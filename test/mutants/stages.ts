/** Slips in the parts of a step: rows of numbers, control, measuring. */
import { slipsIn } from './slip.js';

const control = ['gpu/control-stage'];

export const stageSlips = [
  ...slipsIn(
    'src/stages/row-ring.ts',
    ['unit/row-ring'],
    [
      ['if (rowCount <= this.#rowCapacity) return;', 'if (rowCount < this.#rowCapacity) return;'],
      ['pendingIn === undefined ? 0 : this.#takePending', 'pendingIn === undefined ? 1 : this.#takePending'],
      ['this.#slotOffset[0] = byteOffset;', ''],
      ['this.#isActive = isActive;', ''],
      [
        'for (const buffer of [this.#buffer, ...this.#outgrown]) buffer.destroy();',
        'this.#buffer.destroy();',
      ],
      ['this.#slotOffset[0]! + this.#slot.rows + pageByteLength', 'this.#slotOffset[0]! + pageByteLength'],
      ['(this.#encodedWith.get(encoder) ?? 0) + 1', 'this.#encodedWith.get(encoder) ?? 1'],
      ['this.#pendingCount >= this.#pendingCapacity;', 'this.#pendingCount > this.#pendingCapacity;'],
      [
        '(encoded > this.#pendingCapacity || this.#pendingCapacity < MOST_PENDING)',
        'this.#pendingCapacity < MOST_PENDING',
      ],
      [
        '(encoded > this.#pendingCapacity || this.#pendingCapacity < MOST_PENDING)',
        'encoded > this.#pendingCapacity',
      ],
      ['2 * this.#pendingCapacity;\n', 'this.#pendingCapacity + 8;\n'],
      ['this.#encodedWith = new WeakMap([[encoder, 1]]);', ''],
      ['return 1 + (this.#pendingCount++', 'return this.#pendingCount++ % 1 + (this.#pendingCount'],
      ['this.#outgrown.push(this.#buffer);', 'this.#buffer.destroy();'],
      ['this.#pendingCount = 0;\n  }', '}'],
      [
        'size: (1 + this.#pendingCapacity) * this.#slot.byteLength',
        'size: this.#pendingCapacity * this.#slot.byteLength + 256',
      ],
      ['while (this.#rowCapacity < rowCount) this.#rowCapacity *= 2;', 'this.#rowCapacity = rowCount - 1;'],
    ],
  ),
  ...slipsIn(
    'src/stages/row-ring.ts',
    ['gpu/shortage', 'gpu/ring-growth'],
    [
      ['this.#isUnsure = true;', ''],
      ['() => (this.#isUnsure = false),', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/fixed-rows.ts',
    ['gpu/evaluation', 'gpu/groups-and-accumulation', 'gpu/object-lifetimes'],
    [
      ['{ is_active: 1, ...values }', '{ ...values }'],
      ['{ is_active: 1, ...values }', '{ ...values, is_active: 1 }'],
      ['this.#row.pageByteLength * k]', '4 * k]'],
      ['this.buffer.destroy();', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/control/control.ts',
    ['gpu/control-stage', 'gpu/object-lifetimes', 'gpu/state-dict-trust'],
    [
      ['if (last && last.size >= byteLength) return last;', 'if (last) return last;'],
      ['this.#workspaces.push(made);', ''],
      [
        'for (const buffer of [this.headBuffer, ...this.#workspaces]) buffer.destroy();',
        'this.headBuffer.destroy();',
      ],
      ['this.#records.destroy();', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/control/control.ts',
    ['gpu/control', 'gpu/counts'],
    [
      ['this.#writeHead(head);\n    this.#records', 'this.#records'],
      ['this.#records.restore(records);', ''],
      ['this.device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(head.lossScale));', ''],
      ['growthTracker: 0, lossScale });', 'growthTracker: 0, lossScale: 1 });'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/compose-control.ts',
    ['gpu/control', 'gpu/control-skip', 'gpu/control-norm'],
    [
      ['CLIP: Number(options.maxGradNorm < Infinity)', 'CLIP: 1'],
      ['CLIP: Number(options.maxGradNorm < Infinity)', 'CLIP: 0'],
      ['SKIP: Number(options.skipNonFinite)', 'SKIP: 1'],
      ['DYNAMIC: Number(options.dynamic !== undefined)', 'DYNAMIC: 0'],
    ],
  ),
  ...slipsIn('src/stages/control/compose-reduce.ts', control, [
    ['first_partial: firstPartialLane + firstPartial', 'first_partial: firstPartial'],
    ['gathered_lane: gatheredLane,', 'gathered_lane: 0,'],
    ['MASKED: Number(isShort)', 'MASKED: 0'],
    ['GATHERED: Number(gatheredLane !== undefined)', 'GATHERED: 0'],
    ['grad_${k}[min(first + 3u, last)]', 'grad_${k}[first + 3u]'],
    ['workspace[part.gathered_lane + i] = bits;', 'workspace[part.gathered_lane] = bits;'],
    [
      'sums = add_part_carefully_${k}(sums, workgroup, local_index, is_needed);',
      'sums = add_part_carefully_${k}(given, workgroup, local_index, is_needed);',
    ],
    ['let end = select(lanes.first, lanes.end, is_needed);', 'let end = lanes.end;'],
    ['row: rowInPage,', 'row: 0,'],
  ]),
  ...slipsIn(
    'src/stages/control/control-stage.ts',
    [...control, 'gpu/leaving-out-norm'],
    [
      ['if (row !== parts[0]!.row) {', 'if (row === -1) {'],
      ['rowInPage = dispatch.parts[0]!.row % control.row.rowsPerPage', 'rowInPage = dispatch.parts[0]!.row'],
      ['partial_count: partialCount,', 'partial_count: partialCount - 1,'],
      ['spokenFor.has(row) ? row : (row | SPEAKS) >>> 0', '(row | SPEAKS) >>> 0'],
      ['spokenFor.has(row) ? row : (row | SPEAKS) >>> 0', 'spokenFor.size > 0 ? row : (row | SPEAKS) >>> 0'],
      ['rowOf.get(first + i) ?? NO_ROW', 'rowOf.get(i) ?? NO_ROW'],
      ['Math.min(capacity, end - first)', 'Math.min(capacity, 64)'],
      ['if (pipeline !== this.#reducers[k]) {', 'if (pipeline === undefined) {'],
      ['offset: stride * k,', 'offset: 0,'],
      ['this.#advance) this.#encodeCommand', 'this.#advance.slice(0, 1)) this.#encodeCommand'],
      ['buffer: control.chunks[k]!.buffer', 'buffer: control.chunks[0]!.buffer'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/control-stage.ts',
    ['gpu/ring-growth', 'gpu/object-lifetimes', 'gpu/counts'],
    [
      ['if (slots !== this.#slots || !this.#slotGroup) {', 'if (!this.#slotGroup) {'],
      ['for (const buffer of this.#own) buffer.destroy();', ''],
      ['this.#own = [portions, ...rows];', 'this.#own = [portions];'],
      ['step.slotOffset(), 0, 1);', 'new Uint32Array(1), 0, 1);'],
    ],
  ),
];
