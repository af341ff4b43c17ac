/** Slips in rows of numbers, and in the stage that decides on the GPU. */
import { slipsIn } from './slip.js';

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
      [
        '(1 + this.#pendingCapacity) * this.#slot.byteLength,',
        'this.#pendingCapacity * this.#slot.byteLength + 256,',
      ],
      ['while (this.#rowCapacity < rowCount) this.#rowCapacity *= 2;', 'this.#rowCapacity = rowCount - 1;'],
      ['if (this.#isPending) this', 'this', 'gpu/random-changes'],
      ['this.#isPending = true;', '', 'unit/row-ring', 'gpu/ring-growth'],
      ['this.#isUnsure = true;', '', 'unit/row-ring', 'gpu/shortage#the ring can grow to'],
      ['() => (this.#isUnsure = false),', '', 'unit/row-ring', 'gpu/optimizer#a step makes no buffer'],
    ],
  ),
  ...slipsIn(
    'src/stages/fixed-rows.ts',
    ['gpu/groups-and-accumulation#micro-batches', 'gpu/evaluation#and train comes back'],
    [
      ['{ is_active: 1, ...values }', '{ ...values }'],
      ['{ is_active: 1, ...values }', '{ ...values, is_active: 1 }'],
      ['this.#row.pageByteLength * k]', '4 * k]'],
      ['this.buffer.destroy();', '', 'gpu/object-lifetimes#nothing is left behind'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/control.ts',
    ['gpu/object-lifetimes#nothing is left behind'],
    [
      [
        'if (last && last.size >= byteLength) return last;',
        'if (last) return last;',
        'gpu/added-groups#three groups',
        'gpu/groups-and-accumulation#a group added later',
        'gpu/counts#steps encoded before a group joined',
      ],
      [
        'for (const buffer of this.#workspaces.splice(length)) buffer.destroy();',
        '',
        'gpu/shortage#whose norms find',
      ],
      [
        '    const forgetRecords = this.#records.mark();',
        '    const forgetRecords = () => {};',
        'gpu/shortage#whose norms find',
      ],
      [
        'this.#workspaces.push(made);',
        '',
        'gpu/object-lifetimes#nothing is left behind',
        'gpu/object-lifetimes#behind 50 times addGroup',
      ],
      [
        'for (const buffer of [this.headBuffer, ...this.#workspaces]) buffer.destroy();',
        'this.headBuffer.destroy();',
      ],
      ['this.#records.destroy();', ''],
      ['this.#writeHead(head);\n    this.set', 'this.set', 'gpu/control#resumes from a state dict'],
      [
        'this.#records.restore(records);',
        '',
        'gpu/control#resumes from a state dict',
        'gpu/counts#a dict of a run',
      ],
      [
        'this.device.queue.writeBuffer(this.lossScaleBuffer, 0, Float32Array.of(head.lossScale));',
        '',
        'gpu/control#resumes from a state dict',
        'gpu/state-dict-trust',
      ],
      ['growthTracker: 0, lossScale });', 'growthTracker: 0, lossScale: 1 });', 'gpu/control#follows torch'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/compose-control.ts',
    ['gpu/control-skip#maxConsecutiveSkips', 'gpu/control#follows torch', 'gpu/control-norm#clips as'],
    [
      ['CLIP: Number(options.maxGradNorm < Infinity)', 'CLIP: 1'],
      ['CLIP: Number(options.maxGradNorm < Infinity)', 'CLIP: 0'],
      ['SKIP: Number(options.skipNonFinite)', 'SKIP: 1', 'gpu/loss-scale#NaN and'],
      ['DYNAMIC: Number(options.dynamic !== undefined)', 'DYNAMIC: 0'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/compose-reduce.ts',
    ['gpu/control-stage'],
    [
      ['first_partial: firstPartialLane + firstPartial', 'first_partial: firstPartial'],
      ['gathered_lane: gatheredLane,', 'gathered_lane: 0,'],
      ['isShort || table ? `masked', 'table ? `masked'],
      ['gatheredLane === undefined ?', 'true ?'],
      ['workspace[part.gathered_lane + i] = bits;', 'workspace[part.gathered_lane] = bits;'],
      [
        'sums = add_part_${k}(sums, workgroup, local_index, kind);',
        'sums = add_part_${k}(Squares(), workgroup, local_index, kind);',
      ],
      ['let end = select(i, lanes.end, kind == MEDIUM);', 'let end = lanes.end;'],
      ['[0, 1, 2, 3]', '[0, 1, 2, 2]', 'gpu/control-stage#the norm of'],
      ['row: rowInPage,', 'row: 0,'],
    ],
  ),
  ...slipsIn(
    'src/stages/control/control-stage.ts',
    ['gpu/control-stage', 'gpu/leaving-out-norm'],
    [
      ['this.parts.control.row.rowsPerPage, true);', 'this.parts.control.row.rowsPerPage);'],
      ['rowInPage = dispatch.parts[0]!.row % control.row.rowsPerPage', 'rowInPage = dispatch.parts[0]!.row'],
      ['partial_count: partialCount }', 'partial_count: partialCount - 1 }'],
      ['spokenFor.has(row) ? row : (row | SPEAKS) >>> 0', '(row | SPEAKS) >>> 0'],
      ['spokenFor.has(row) ? row : (row | SPEAKS) >>> 0', 'spokenFor.size > 0 ? row : (row | SPEAKS) >>> 0'],
      ['rowOf.get(first + i) ?? NO_ROW', 'rowOf.get(i) ?? NO_ROW'],
      ['Math.min(capacity, end - first)', 'Math.min(capacity, 64)'],
      ['this.#reduce.forEach((dispatch, k) => (dispatch.bindGroup = this.#bindings.bindGroups[k]!));', ''],
      ['dispatches.length + 1,', 'dispatches.length,'],
      ['this.#advance) this.#encodeCommand', 'this.#advance.slice(0, 1)) this.#encodeCommand'],
      ['buffer: control.chunks[k]!.buffer', 'buffer: control.chunks[0]!.buffer'],
      [
        'if (slots !== this.#slots || !this.#slotGroup) {',
        'if (!this.#slotGroup) {',
        'gpu/control#a fixed loss scale',
        'gpu/ring-growth#a group joins between',
      ],
      ['for (const own of this.#own) own.destroy();', '', 'gpu/object-lifetimes#nothing is left behind'],
      [
        'this.#own = [portions, ...rows];',
        'this.#own = [portions];',
        'gpu/object-lifetimes#nothing is left behind',
      ],
      ['step.slotOffset(), 0, 1);', 'new Uint32Array(1), 0, 1);', 'gpu/control#a fixed loss scale'],
    ],
  ),
  ...slipsIn(
    'src/stages/dispatches.ts',
    ['gpu/leaving-out-norm#leaves all out', 'gpu/leaving-out#two batches'],
    [
      ['if (!always && !step.isActive(row)) continue;', ''],
      [
        'if (pageOfRow !== page) {',
        'if (page < 0) {',
        'gpu/leaving-out#two batches',
        'gpu/control-stage#each row gets',
      ],
      ['if (dispatch.pipeline !== pipeline) pass', 'if (!pipeline) pass', 'gpu/batches#every length'],
    ],
  ),
  ...slipsIn(
    'src/stages/portions.ts',
    ['gpu/batches#every length', 'gpu/control-stage#the norm of'],
    [
      ['offset: this.#stride * k,', 'offset: 0,'],
      ['this.#buffer.destroy();', '', 'gpu/optimizer#destroy frees'],
    ],
  ),
];
