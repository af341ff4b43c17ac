/** Slips in writing, resetting and copying state, and in what that shares with loading. */
import { slipsIn } from './slip.js';

const DRAWN = 'gpu/state-in-hand#drawn at random';
const REFUSED = 'gpu/state-in-hand#refused changes nothing';

export const editingSlips = [
  ...slipsIn(
    'src/engine/calls/state/editing.ts',
    [DRAWN],
    [
      ['this.#raiseStep(count);', ''],
      ['if (count > log.applied) this.run.control?.setStep(count);', ''],
      ['slotLength(found, parameter)', 'parameter.elementCount'],
      ['if (hasCount) {', 'if (!hasCount) {'],
      ['!hasCount && isAverage(tensor, slot)', 'isAverage(tensor, slot) && hasCount'],
      ['blockOf(codec, initial)', 'new Uint32Array(1)'],
      ['if (control) {\n      copies.push', 'if (!control) {\n      copies.push'],
      ['new Map([[target, source]])', 'new Map([[source, target]])'],
      [
        'if (setCounts(this.run, counts, ruleOf)) this',
        'setCounts(this.run, counts, ruleOf);\n    if (!this) this',
      ],
      ['this.session.guard.checkTraining(call);', 'this.session.guard.check(call);', REFUSED],
      ["this.session.guard.checkTraining('resetState()');", '', REFUSED],
      ['for (const free of frees) free();', '', 'gpu/state-in-hand#averages of rows begin'],
      ['some ?? all, blockOf', 'all, blockOf', 'gpu/state-in-hand#rows of a table'],
      ['if (source === target) fail', 'if (!source) fail', REFUSED],
      ['from.elementCount !== to.elementCount', '!from.elementCount', REFUSED],
      ['held!.join() !== wanted!.join()', '!held', 'gpu/state-in-hand#only the other group'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/state-input.ts',
    [REFUSED],
    [
      ['const MOST_WRITTEN = MOST_STEPS - 1;', 'const MOST_WRITTEN = MOST_STEPS;'],
      ['Number.isInteger(count) && count! >= 0', 'count! >= 0'],
      ['Number.isInteger(count) && count! >= 0', 'Number.isInteger(count)'],
      ['&& values.length === 1 ?', '?'],
      ['if (k >= 0)', 'if (k > 3)'],
      ["rejectUnknownKeys(given, RESET_KEYS, 'resetState()', 'invalid-config');", ''],
      ['(wanted?.has(slot.name) ?? true)', 'true', DRAWN],
      ["wanted?.has('step') ?? !numbers", "wanted?.has('step') ?? true", 'gpu/state-in-hand#rows of a table'],
      ["wanted?.has('step') ?? !numbers", 'wanted === undefined', DRAWN],
      ['if (numbers && wanted) rejectWholeSlots(wanted, tensors);', '', 'gpu/state-in-hand#rows of a table'],
      ['if (row >= rowCount) {', 'if (row > rowCount) {', 'gpu/state-in-hand#rows of a table'],
      ['last.elementCount += rowLength;', 'last.elementCount += 1;', 'gpu/state-in-hand#rows of a table'],
    ],
  ),
  ...slipsIn(
    'src/engine/run/counts.ts',
    [DRAWN],
    [
      ['records.set(tensor.index, { count, rates });', '', 'gpu/state-in-hand#the GPU counts'],
      ['if (!control) return count;', '', 'gpu/state-in-hand#the host counts'],
      ['`count ${source}`', 'source', 'gpu/state-in-hand#the GPU counts'],
      [
        'source.part === tensor.part ? source.row :',
        'source.part === tensor.part ? tensor.row :',
        'gpu/state-in-hand#the GPU counts',
      ],
      ['control?.setRecords(records);', '', 'gpu/state-in-hand#the GPU counts'],
    ],
  ),
  ...slipsIn(
    'src/engine/run/step-log.ts',
    [DRAWN],
    [
      ['this.asked += Math.max(step - this.applied, 0);', '', 'gpu/state-in-hand#and schedules along'],
      ['Math.max(step, this.applied)', 'step', DRAWN],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/seeding.ts',
    [DRAWN],
    [
      ['data: slicePieces(data, first, elementCount),', 'data,', 'gpu/state-in-hand#averages of rows'],
      ['`${part.label} ${slot}`', 'slot', 'gpu/state-in-hand#averages of rows'],
      ['...(rowLength !== undefined && data', '...(false && data', 'gpu/state-in-hand#lie apart'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/timestamp-writes.ts',
    ['gpu/seeing#times of a step'],
    [
      ["if (!features.has('timestamp-query')) {", 'if (!features) {'],
      ["type !== 'timestamp' ||", 'type === undefined &&'],
      ['(index as number) < count', '(index as number) <= count'],
      ['Number.isInteger(index) && ', ''],
      ['if (first === last) {', 'if (first === last && first !== undefined) {'],
      ['if (first === last) {', 'if (first === undefined && last === undefined) {'],
    ],
  ),
  ...slipsIn(
    'src/gpu/commands.ts',
    ['gpu/seeing#into a compute pass'],
    [
      ['begin: () => pass, end: () => undefined', 'begin: () => pass, end: () => pass.end()'],
      ['...(timestampWrites && { timestampWrites })', '', 'gpu/seeing#times of a step'],
    ],
  ),
  ...slipsIn(
    'src/gpu/copies/copy-ranges.ts',
    ['unit/copy-ranges'],
    [
      ['from.buffer === to.buffer ?', 'from.buffer !== to.buffer ?'],
      ['Math.min(longest, VIA_BYTE_LENGTH)', 'longest'],
      ['if (!via || from.buffer !== to.buffer) {', 'if (!via) {'],
      ['from.byteOffset + done, via', 'from.byteOffset, via'],
      ['to.byteOffset + done, size', 'to.byteOffset, size'],
      ['return () => via?.destroy();', 'return () => undefined;'],
      ['target.byteLength - doneB', 'target.byteLength'],
      ['[b, doneB] = [b + 1, 0]', 'b += 1'],
    ],
  ),
  ...slipsIn(
    'src/plan/cut.ts',
    ['unit/plan#slices'],
    [
      ['Math.max(first - start, 0)', 'first'],
      ['start += piece.elementCount;\n  }\n  return slices;', '}\n  return slices;'],
    ],
  ),
];
