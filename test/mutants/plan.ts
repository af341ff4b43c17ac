/** Slips in the planning of dispatches, which runs in Node. */
import { slipsIn } from './slip.js';

export const planSlips = [
  ...slipsIn(
    'src/plan/pieces.ts',
    ['unit/plan', 'unit/runs', 'unit/reduction'],
    [
      ['pieces.reduce((sum, { elementCount }) => sum + elementCount, 0)', 'pieces[0]!.elementCount'],
      ['byteOffset + size * elementCount;', 'byteOffset + elementCount;'],
    ],
  ),
  ...slipsIn(
    'src/plan/batches.ts',
    ['unit/batches', 'unit/plan', 'unit/move'],
    [
      [
        "Number(isCounted ?? false) +\n      Number(gradBinding === 'gathered')",
        'Number(isCounted ?? false)',
      ],
      ['Number(isCounted ?? false) +\n', '', 'gpu/overflows#all of a run'],
      ['|| laneCount > MOST_LANES) return 1;', ') return 1;'],
      [
        '(limits.maxStorageBuffersPerShaderStage - shared) / perTensor',
        'limits.maxStorageBuffersPerShaderStage / perTensor',
      ],
      ['Math.min(room, MOST_TOGETHER)', 'room'],
      ['if (batch.length === capacity) open', 'if (batch.length > capacity) open'],
      ['if (open.length > MOST_OPEN) open.shift();', ''],
      ['${gradBinding} ${row} ${range?.slab}', '${gradBinding} ${range?.slab}'],
      ['${gradBinding} ${row} ${range?.slab}', '${gradBinding} ${row}'],
      ['return parts.every((part) => canShare(part, stretch));', 'return canShare(parts[0]!, stretch);'],
      ['if (size > limits.maxStorageBufferBindingSize) return false;', ''],
      ['Math.max(most, part.laneCount), 0)', 'most + part.laneCount, 0)'],
      [
        'end = Math.max(end, state!.element + state!.elementCount);',
        'end = state!.element + state!.elementCount;',
      ],
      ['doClash(a.grad, isWrittenA, b.data, true) ||', ''],
      ['doClash(a.data, true, b.grad, isWrittenB) ||', ''],
      ['doClash(a.grad, isWrittenA, b.grad, isWrittenB)', 'false'],
      [
        'return isWrittenA !== isWrittenB || (isWrittenA && overlap(a, b));',
        'return isWrittenA !== isWrittenB;',
      ],
      [
        'return isWrittenA !== isWrittenB || (isWrittenA && overlap(a, b));',
        'return isWrittenA && overlap(a, b);',
      ],
      ['a.offset < b.offset + b.size && b.offset < a.offset + a.size', 'a.offset < b.offset + b.size'],
    ],
  ),
  ...slipsIn(
    'src/plan/cut.ts',
    ['unit/plan', 'unit/runs', 'unit/reduction'],
    [
      ['Math.max(minStorageBufferOffsetAlignment, VECTOR)', 'VECTOR'],
      ['size: wordsEndOf(piece) - offset }', 'size: wordsEndOf(piece) - piece.byteOffset }'],
      [
        'for (const list of Object.values<(Piece<B> | StatePiece)[]>(left)) dropElements',
        'for (const list of [left.data, left.grad]) dropElements',
      ],
      ['if (first.elementCount === elementCount) list.shift();\n  else list', 'list'],
      ['Math.min(piece.elementCount, elementsIn(byteLength, piece))', 'elementsIn(byteLength, piece)'],
      [
        "'element' in piece ? { ...piece, elementCount, isPadded: false }",
        "'element' in piece ? { ...piece, elementCount }",
      ],
      ['const lost = byteOffset % step === 0 ? 0 : step;', 'const lost = 0;'],
      ['alignDown(elementCount, rowsOfBlocks(rowLength, cutLength))', 'elementCount', 'unit/state-lanes'],
      ['elementCount % cutLength !== 0) elementCount *= 2', 'false) elementCount *= 2', 'unit/state-lanes'],
      ["if (gradBindingOf(chunk, limits) !== 'read_write') return [chunk];", 'if (chunk) return [chunk];'],
      ['[firstOf(chunk, half), restOf(chunk, half)].flatMap', '[firstOf(chunk, half)].flatMap'],
      [
        "if (data.buffer !== grad.buffer) return 'read';",
        "if (data.buffer === grad.buffer) return 'shared';\n  if (data.buffer !== grad.buffer) return 'read';",
      ],
      ['Math.max(wordsEndOf(data), wordsEndOf(grad!)) - offset', 'wordsEndOf(data) - offset'],
      ['Math.min(data.byteOffset, grad!.byteOffset), alignment', 'data.byteOffset, alignment'],
      ['alignUp(size, VECTOR) <= limits', 'size <= limits'],
    ],
  ),
  ...slipsIn(
    'src/plan/join.ts',
    ['unit/runs', 'unit/plan', 'unit/reduction'],
    [
      ['!rows &&\n    rowLength', 'rowLength'],
      ['gap === 0 || (gap > 0 && gap < padding)', 'gap === 0 || (gap > 0 && gap <= padding)'],
      ['gap === 0 || (gap > 0 && gap < padding)', 'gap < padding || gap === 0'],
      ['if (run.row !== next.row || run', 'if (run'],
      [
        'if (nextGrad.byteOffset - grad.byteOffset !== elementByteLengthOf(grad) * start) return undefined;',
        '',
      ],
      ['if (!isNext(grad, nextGrad)) return undefined;', ''],
      ['if (!isNext(data, nextData)) return undefined;', ''],
      ['if (run.state && !state) return undefined;', ''],
      ['{ ...member, start: member.start + start }', 'member'],
      ['last.slab !== next.slab || next.element', 'next.element'],
      ['isPadded: next.isPadded };', 'isPadded: last.isPadded };'],
      ['const end = Math.max(endOf(last), endOf(next));', 'const end = endOf(next);'],
      ['.toSorted((a, b) => place(a) - place(b))', ''],
    ],
  ),
  ...slipsIn(
    'src/plan/move.ts',
    ['unit/move'],
    [
      ['let parts = partsOf.get(batch);', 'let parts: Stretch<B>[] | undefined;'],
      ['rejectUnshareable(parts, nameOf);', ''],
      ['for (const [k, stretches] of stretchesOfRun) plan.runs[k]!.stretches = stretches;', ''],
      ['if (plan.tensors.has(index)) plan.tensors.set(index, tensor);', 'plan.tensors.set(index, tensor);'],
      [
        "'dataBase', 'gradBase', 'stateStart'] as const",
        "'dataBase', 'stateStart'] as const",
        'unit/move',
        'gpu/rebind#is refused',
      ],
      ['changed.get(member) ?? plan.tensors.get(member)!', 'plan.tensors.get(member)!'],
      ['if (k === undefined || stretchesOfRun.has(k)) continue;', 'if (stretchesOfRun.has(k!)) continue;'],
    ],
  ),
  ...slipsIn(
    'src/plan/matrix/batches.ts',
    ['unit/matrix'],
    [
      ['if (length > most) throw', 'if (step > most) throw'],
      ['Math.min(most, MOST_ELEMENTS) / length', 'Math.min(most, MOST_ELEMENTS) / step'],
    ],
  ),
  ...slipsIn(
    'src/rules/rule.ts',
    ['e2e/tfjs-optimizer'],
    [['rule.others ? Object.freeze({ ...made, others: rule.others }) : made', 'made']],
  ),
];
