/** Slips in generations of stages, in groups, and in how they are made. */
import { slipsIn } from './slip.js';

export const runPartSlips = [
  ...slipsIn(
    'src/engine/run/generation.ts',
    ['gpu/control-norm', 'gpu/batches#a new gradient buffer', 'gpu/rebind#are followed'],
    [
      [
        'const summed = views.flatMap(',
        'const summed = views.slice(0, 1).flatMap(',
        'gpu/added-groups#tables behind',
      ],
      [
        'if (stage.withGradients) seen = byIndex(stage.withGradients([...seen.values()]));',
        '',
        'gpu/batches#a new gradient buffer',
        'gpu/rebind#are followed',
      ],
      [
        'filter((stage) => !kept.has(stage))',
        'filter((stage) => kept.has(stage))',
        'gpu/object-lifetimes#nothing is left behind',
        'gpu/added-groups#tables behind',
      ],
      ['known?.layout === view.layout && ', 'known !== undefined && ', 'gpu/moving-options'],
      [
        'known.holdings === holdings && areSame(known.tensors, own)',
        'known.holdings === holdings',
        'gpu/leaving-out#two batches',
        'gpu/rebind-moments#is being added',
      ],
      [
        'tensor.row === other.row &&',
        '',
        'gpu/leaving-out#two batches',
        'gpu/leaving-out-norm#a resumed run',
      ],
      ['areSamePieces(tensor.grad!, other.grad!)', 'true', 'gpu/rebind-moments#is being added'],
      [
        '[measuring.planStage({ ...input, records }), update]',
        '[update, measuring.planStage({ ...input, records })]',
        'gpu/tensor-norms#the norms are',
        'gpu/golden#lamb',
      ],
      [
        'for (const commit of commits) commit();',
        'commits[0]?.();',
        'gpu/rebind#are followed',
        'gpu/control-stage#rebind',
      ],
    ],
  ),
  ...slipsIn(
    'src/engine/run/group-part.ts',
    ['gpu/object-lifetimes#nothing is left behind'],
    [
      [
        'position += byteLength;',
        '',
        'gpu/evaluation-averages#in pieces',
        'gpu/large#tensor past the buffer',
        'gpu/optimizer#resumes from',
      ],
      [
        'if (this.layout.tensorSlots.includes(slot)) return',
        'if (this.layout.slots.length === 0) return',
        'gpu/tensor-norms#novograd keeps',
      ],
      ['destroyer(slabs, records)', 'destroyer(records)'],
      ['destroyer(slabs, records)', 'destroyer(slabs)'],
      ['destroyer(accumulation, ...sums.values())', 'destroyer(...sums.values())'],
      ['destroyer(accumulation, ...sums.values())', 'destroyer(accumulation)'],
      [
        'this.accumulation?.encodeProbe(pass);',
        '',
        'gpu/bad-input#of another device',
        'gpu/groups-and-accumulation',
      ],
      [
        'for (const sums of this.#holdings.gradients.sums.values()) sums.encodeProbe(pass);',
        '',
        'gpu/sparse-engine#names the table',
      ],
      [
        '{ data: grad, grad: microGrad, ',
        '{ data: microGrad, grad, ',
        'gpu/groups-and-accumulation#micro-batches',
      ],
      [
        'elementCount: entryCount * rowLength }',
        'elementCount: entryCount }',
        'gpu/row-sums',
        'gpu/sparse-engine#norm is that',
      ],
    ],
  ),
  ...slipsIn(
    'src/engine/run/assemble.ts',
    ['gpu/bad-input#of another device'],
    [
      ['await compileAll(device, assembly.sources);', '', 'gpu/loops-and-bounds#broken WGSL'],
      [
        'const unmade = await making;',
        'await making;\n    const unmade = undefined;',
        'gpu/shortage#says so whichever buffer is missing, and leaves nothing (plain)',
      ],
      ['unmade ?? (await binding)', 'unmade'],
      ['device.queue.submit([encoder.finish()]);', 'encoder.finish();'],
      [
        'unmade ? value : undefined',
        'value',
        'gpu/bad-input#of another device',
        'gpu/shortage#leaves nothing (plain)',
      ],
      ['[...data, ...grad, ...microGrad, ', '[...data, ...grad, '],
      ['sparse.indices, sparse.values,', 'sparse.values,', 'gpu/sparse-engine#names the table'],
    ],
  ),
  ...slipsIn(
    'src/engine/run/reshape.ts',
    ['gpu/map-rows', 'gpu/freeze-remove'],
    [
      ['if (move && !perTensor) move', 'if (move) move', 'gpu/map-rows#a table'],
      ['tensor.parameter = parameter;', '', 'gpu/map-rows#rows are'],
      ['encodeCopies(device, encoder, each, part.label);', ''],
      ['if (isInPlace) holdings.state.slabs.use(tensor.index, parameter.elementCount);', ''],
      [
        'planned.keepsState ? [before.gradients]',
        'planned.keepsState ? []',
        'gpu/map-rows-in-place#is freed',
      ],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/life.ts',
    ['gpu/freeze-remove'],
    [
      ['session.names.delete(tensor.parameter.name);', ''],
      ['session.joining.delete(tensor.parameter.name);', '', 'gpu/move-groups#refused'],
      ['session.followRun(run);', ''],
      ['leaving.size === session.names.size', 'false', 'gpu/freeze-remove#what makes'],
      ['session.occupancy.release(', 'Array.of(', 'gpu/freeze-remove#names and bytes'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/mapping.ts',
    ['gpu/map-rows'],
    [
      [
        'row === (k < rowsBefore ? k : FRESH_ROW)',
        'k >= rowsBefore || row === k',
        'gpu/map-rows#copies behind',
      ],
      ['row === (k < rowsBefore ? k : FRESH_ROW)', 'true'],
      ['row === (k < rowsBefore ? k : FRESH_ROW)', 'false', 'gpu/map-rows#rows come and go'],
      ['isInPlace && rowsKept !== undefined', 'isInPlace', 'gpu/map-rows-cut#long rows'],
      ['rowsKept * rowLength * ELEMENT_BYTE_LENGTH', '0', 'gpu/map-rows#rows come and go'],
      [
        'rowsKept === undefined || !startsAlike(source, target)',
        'rowsKept === undefined',
        'gpu/map-rows-in-place#one buffer grow',
      ],
      ['byteLength: range.byteLength - skipped', 'byteLength: 4', 'gpu/map-rows#what starts'],
    ],
  ),
  ...slipsIn(
    'src/stages/update/state-slabs.ts',
    ['gpu/map-rows-in-place#no state is made'],
    [
      ['String(slabElementCounts) === String(own.slabElementCounts)', 'false'],
      ['elementCount === other.elementCount', 'true', 'gpu/map-rows-in-place#a row more'],
    ],
  ),
  ...slipsIn(
    'src/stages/rows/map-rows.ts',
    ['gpu/map-rows'],
    [
      ['% rowLength) + column', '% rowLength)', 'gpu/map-rows-cut#long rows'],
      ['fills: fresh !== undefined && k === 0', 'fills: false', 'gpu/map-rows-cut#long rows'],
      ['fresh: fresh ?? 0', 'fresh: 0', 'gpu/map-rows-cut#long rows'],
      ['countsStrays && column === 0', 'countsStrays', 'gpu/map-rows-cut#long rows'],
      ['first % rowLength !== 0 || elementCount', 'elementCount', 'gpu/map-rows-cut'],
      [
        'Math.ceil((first + elementCount) / rowLength)',
        'Math.floor((first + elementCount) / rowLength)',
        'gpu/map-rows#weights in several',
      ],
      ['(columns / share.length)', '1', 'gpu/map-rows#as on GPUs'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/map-weights.ts',
    ['gpu/map-rows'],
    [
      ['from.move !== move && doMeet', 'false && doMeet', 'gpu/map-rows#change places'],
      ['from.move !== move && doMeet', 'doMeet', 'gpu/map-rows-in-place#room'],
      ['isNoLonger(move) || ', 'true || ', 'gpu/map-rows-in-place#one buffer grow'],
      [
        'const isHome = startsAlike(move.source, move.target)',
        'const isHome = true',
        'gpu/map-rows-in-place#one buffer grow',
      ],
      ['!sharesBuffers && ', '', 'gpu/map-rows-in-place#one buffer grow'],
      ['for (const put of back) put();', 'back[0]?.();', 'gpu/map-rows#change places'],
      ['countsStrays: k === 0', 'countsStrays: true', 'gpu/map-rows#rows are'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/rows/map-rows.wgsl',
    ['gpu/map-rows'],
    [
      ['portion.first_entry + row', 'row', 'gpu/map-rows#anywhere'],
      ['entry < portion.rows_before', 'entry != FRESH'],
      ['entry != FRESH && column == 0u', 'entry != FRESH'],
      ['&& entry != FRESH && column', '&& column'],
      ['(id % shares) * SHARE', '0u', 'gpu/map-rows#as on GPUs'],
      ['select(entry, row, STAYS)', 'entry', 'gpu/map-rows#rows are'],
      ['if (is_known && origin', 'if (origin'],
      ['origin < portion.source_end_row', 'origin <= portion.source_end_row', 'gpu/map-rows-cut'],
      ['column == 0u && is_in_target(row, 0u)', 'column == 0u', 'gpu/map-rows-cut'],
      ['return at >= portion.first &&', 'return at > portion.first &&', 'gpu/map-rows-cut'],
      ['at < portion.source_end', 'at <= portion.source_end', 'gpu/map-rows-cut'],
      ['portion.source_column + column', 'column', 'gpu/map-rows-cut'],
      ['if (FILLS && !is_known)', 'if (FILLS)', 'gpu/map-rows#what starts'],
    ],
  ),
];
