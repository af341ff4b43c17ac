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
      [
        'views.every(({ layout }) => !layout.tensor)',
        'true',
        'gpu/tensor-norms',
        'gpu/leaving-out#every rule',
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
      ['        slabs,\n        ...(records', '        ...(records'],
      ['...(records ? [records] : []),', ''],
      ['...(accumulation ? [accumulation] : []),', ''],
      ['...sums.values(),', ''],
      [
        'this.accumulation?.encodeProbe(pass);',
        '',
        'gpu/bad-input#of another device',
        'gpu/groups-and-accumulation',
      ],
      [
        'for (const sums of this.#holdings.sums.values()) sums.encodeProbe(pass);',
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
        'const error = unmade ?? unbound;',
        'const error = unbound;',
        'gpu/shortage#says so whichever buffer is missing, and leaves nothing (plain)',
      ],
      ['const error = unmade ?? unbound;', 'const error = unmade;'],
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
      ['if (move && !slot.perTensor) move', 'if (move) move', 'gpu/map-rows#a table'],
      ['tensor.parameter = parameter;', '', 'gpu/map-rows#rows are'],
      ['encodeCopies(device, encoder, copies, part.label);', ''],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/life.ts',
    ['gpu/freeze-remove'],
    [
      ['session.names.delete(tensor.parameter.name);', ''],
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
      ['slabs.use(index, parameter.elementCount);', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/rows/map-rows.ts',
    ['gpu/map-rows'],
    [
      ['first % rowLength !== 0 || elementCount', 'elementCount', 'gpu/map-rows#weights in several'],
      [
        'Math.ceil((first + elementCount) / rowLength)',
        'Math.floor((first + elementCount) / rowLength)',
        'gpu/map-rows#weights in several',
      ],
      ['(rowLength / share.length)', '1', 'gpu/map-rows#as on GPUs'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/map-weights.ts',
    ['gpu/map-rows'],
    [
      ['!sources.has(buffer)', 'true', 'gpu/map-rows#change places'],
      ['for (const put of back) put();', 'back[0]?.();', 'gpu/map-rows#change places'],
      ['const countsStrays = k === 0;', 'const countsStrays = true;', 'gpu/map-rows#rows are'],
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
      [
        'origin < portion.source_end_row',
        'origin <= portion.source_end_row',
        'gpu/map-rows#weights in several',
      ],
      [
        'column == 0u && in_part(row * ROW_LENGTH, portion.first, portion.end)',
        'column == 0u',
        'gpu/map-rows#weights in several',
      ],
      ['unit_index >= first', 'unit_index > first', 'gpu/map-rows#weights in several'],
    ],
  ),
];
