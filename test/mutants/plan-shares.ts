/** Slips in what places state and shares out measuring, reduction and sparse sums. */
import { slipsIn } from './slip.js';

export const planShareSlips = [
  ...slipsIn(
    'src/plan/plan.ts',
    ['unit/plan', 'unit/batches', 'unit/move'],
    [
      [
        'joins ? joinRuns(tensors, paddingOf, cutLength) : tensors.map(asRun)',
        'joinRuns(tensors, paddingOf, cutLength)',
      ],
      ['(places[k] = { batch, part })', '(places[k] = { batch, part: 0 })'],
      ['places.slice(first, (first += own.length))', 'places.slice(first, first + own.length)'],
      [
        'planBatches(stretches, slotCount, facts.limits, isAlone)',
        'planBatches(stretches, slotCount, facts.limits, false)',
      ],
      [
        'for (const member of run.members) stateOfTensor',
        'for (const member of run.members.slice(0, 1)) stateOfTensor',
      ],
    ],
  ),
  ...slipsIn(
    'src/plan/state-places.ts',
    ['unit/plan', 'unit/runs', 'unit/batches'],
    [
      ['const taken = alignUp(elementCount, this.#unit);', 'const taken = elementCount;'],
      ['element + taken <= this.#most', 'element <= this.#most'],
      ['this.elementCounts[last] = element + taken;', 'this.elementCounts[last]! += taken;'],
      ['slab: last + 1, element: 0', 'slab: last, element: 0'],
      ['const from = Math.max(start - done, 0);', 'const from = start;'],
      ['state!.isPadded && to === state!.elementCount', 'state!.isPadded'],
      ['done += state!.elementCount;', ''],
    ],
  ),
  ...slipsIn(
    'src/plan/stretch.ts',
    ['unit/plan', 'unit/batches', 'unit/move'],
    [
      [
        '(end % lane === 0 || paddingOf(piece.buffer, end) >= lane)',
        '(end % lane === 0 || paddingOf(piece.buffer, end) > 0)',
      ],
      ["if (isShared && (dataAccess === 'vector') !==", "if (!isShared && (dataAccess === 'vector') !=="],
      ['!state || (state.element % LANE === 0 && (state.isPadded', '!state || ((state.isPadded'],
      [
        '(grad.byteOffset - gradBound.offset) / unitOf(gradAccess, grad) : 0',
        '(grad.byteOffset - gradBound.offset) / unitOf(dataAccess, grad) : 0',
      ],
      [
        '(state.isPadded ? alignUp(end, Math.max(LANE, formOf(facts).cutLength)) : end) - element',
        'end - element',
      ],
      ['stateStart: state.element - element }', 'stateStart: 0 }'],
      ['rest > 0 && elementCount > ONE_STRETCH', 'elementCount > ONE_STRETCH'],
      ['Math.ceil(elementCount / LANE)', 'Math.floor(elementCount / LANE)'],
      [
        'const isWhole = !(rows || isUnit) || rowLength! % LANE === 0;',
        'const isWhole = true;',
        'unit/sparse',
        'unit/plan',
        'gpu/sparse',
      ],
      [
        'rows.entryCount * lanesIn(rows.rowLength)',
        'lanesIn(rows.entryCount * rows.rowLength)',
        'unit/sparse',
        'unit/plan',
        'gpu/sparse',
      ],
      ['size: 4 * rows.entryCount', 'size: 4', 'unit/sparse', 'unit/plan', 'gpu/sparse'],
    ],
  ),
  ...slipsIn(
    'src/plan/reduction.ts',
    ['unit/reduction', 'gpu/control-stage'],
    [
      [
        'LANE_BYTE_LENGTH * Math.max(gatheredLanes + partialCount, 1)',
        'LANE_BYTE_LENGTH * Math.max(partialCount, 1)',
      ],
      ['partialCount += workgroupCount;', 'partialCount++;'],
      ['firstPartialLane: gatheredLanes', 'firstPartialLane: 0'],
      ['grid, workgroupCount, firstPartial: partialCount }', 'grid, workgroupCount, firstPartial: 0 }'],
      ['byteOffset: LANE_BYTE_LENGTH * lane, elementCount', 'byteOffset: LANE * lane, elementCount'],
      ['countOfRow.get(tensor.row)! < FEWEST_GATHERED', 'countOfRow.get(tensor.row)! <= FEWEST_GATHERED'],
      ['laneCount += lanes;', 'laneCount++;'],
      ['if (laneCount + lanes > mostLanes) break;', ''],
      ['grad[0]!.buffer !== data[0]!.buffer;', 'true;'],
      ['const head = (LANE - phase) % LANE;', 'const head = LANE - phase;'],
      ['{ part: skipElements(data, head + body), isShort: true },', ''],
      ['Math.min(storageBufferCount - 1, MOST_TOGETHER)', 'Math.min(storageBufferCount, MOST_TOGETHER)'],
      [
        '`${part.row} ${part.access} ${part.codec?.name} ${part.gatheredLane !== undefined}`',
        '`${part.access} ${part.codec?.name} ${part.gatheredLane !== undefined}`',
      ],
      ['if (members.length === 1) single.set', 'if (members.length > 0) single.set'],
      ['index, piece, pieceCount, start: member.start,', 'index, piece, pieceCount, start: 0,'],
    ],
  ),
  ...slipsIn(
    'src/plan/measure.ts',
    ['gpu/tensor-norms#the norms are the whole', 'gpu/tensor-norms#neighbours', 'gpu/rebind#measured tensor'],
    [
      ['Math.ceil(laneCount / LANES_PER_PARTIAL)', 'Math.floor(laneCount / LANES_PER_PARTIAL)'],
      ["access.state === 'vector' ? stateStart / LANE : stateStart", 'stateStart'],
      ['a.gradBase === b.gradBase &&', '', 'unit/tensor-norm'],
      ['planRuns(tensors, facts, false)', 'planRuns(tensors, facts, true)', 'gpu/tensor-norms#neighbours'],
    ],
  ),
  ...slipsIn(
    'src/plan/row-sums.ts',
    ['unit/sparse', 'gpu/sparse'],
    [
      ['[32, 1024, 4]', '[32, 1000, 4]', 'gpu/row-sums#the scan has parts'],
      ['32 - Math.clz32(rowCount)', '32 - Math.clz32(rowCount - 1)'],
      ['stride < entryCount; stride *= ROW_BLOCK', 'stride < entryCount / ROW_BLOCK; stride *= ROW_BLOCK'],
      ['Math.ceil(entryCount / PER_BLOCK)', 'Math.floor(entryCount / PER_BLOCK)'],
    ],
  ),
];
