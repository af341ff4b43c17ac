/** Slips in norms of tensors, each by itself, and in clipping by them. */
import { slipsIn } from './slip.js';

export const normSlips = [
  ...slipsIn(
    'src/stages/gradient-lanes.ts',
    ['gpu/control-stage', 'gpu/tables-run#the norm and the search', 'gpu/clip-tables#columns'],
    [
      ['${array}[min(first + 3u, last)]', '${array}[first + 3u]'],
      ['${first} + 4u * i, min(4u', '4u * i, min(4u', 'gpu/clip-tables#columns'],
      ['cells.rows * GRAD_STRIDE', 'cells.rows * ROW_LENGTH'],
      ['header.mask_base + cells_of', 'cells_of'],
    ],
  ),
  ...slipsIn(
    'src/plan/norms/plan-norms.ts',
    ['unit/norm-plan', 'gpu/clip-per-tensor#in the reference'],
    [
      ['base: isByCells(access) ? base : base + first / unit', 'base: base + first / unit'],
      ['base: isByCells(access) ? base : base + first / unit', 'base: base + first'],
      ['partial: firstPartialOf.get(fragment)! + k', 'partial: firstPartialOf.get(fragment)!'],
      ['?.lane ?? 0) + first / LANE', '?.lane ?? 0)', 'gpu/clip-per-tensor#in the reference'],
      ['(isCopied ? 2 : 1)', '1'],
      ['source.table ? source :', 'source === undefined ? source :'],
      ['sources.size === capacity', 'sources.size > capacity'],
      [
        'a.order[0] - b.order[0] || a.order[1] - b.order[1]',
        'b.order[0] - a.order[0]',
        'gpu/clip-per-tensor#neighbours',
      ],
      ['`${each.source.row} ${slabOf(each)}`', '`${slabOf(each)}`', 'gpu/clip-per-tensor#in the reference'],
      ['`${each.source.row} ${slabOf(each)}`', '`${each.source.row}`', 'unit/norm-plan'],
    ],
  ),
  ...slipsIn(
    'src/plan/norms/fragments.ts',
    ['unit/norm-plan'],
    [
      ['Math.min(start + elementCount, end) - begins[m]!', 'elementCount', 'unit/norm-plan'],
      ['isAligned && canRead(data, facts)', 'canRead(data, facts)'],
      ['...(rows && { table: tableOf(data, rows, alignment) }),', ''],
      [
        'byteOf(begins[m]!) - binding.offset',
        'data.byteOffset - binding.offset',
        'gpu/clip-per-tensor#neighbours',
      ],
    ],
  ),
  ...slipsIn(
    'src/plan/norms/copies.ts',
    ['unit/norm-plan'],
    [
      ['members.length > 1 &&', ''],
      ['start % LANE === 0 &&', ''],
      ['laneCount >= LARGE_LANES ? this.#alignment : 1', '1'],
      ['lane + laneCount <= this.most', 'true'],
      ['whole.lane + start / LANE', 'whole.lane'],
    ],
  ),
  ...slipsIn(
    'src/stages/norms/clip-stage.ts',
    ['gpu/clip-per-tensor#in the reference'],
    [
      ['encodeDispatches(pass, this.#scale, step, this.input.row.rowsPerPage);', ''],
      ['plan.dispatches.length + k', 'k'],
      [
        'return this.#measures.prepareRebind(changed);',
        'return () => {};',
        'gpu/clip-per-tensor#come to lie',
      ],
      ['for (const slab of this.#slabs) slab.release();', '', 'gpu/clip-tables#copies take'],
      ['this.#measures.destroy();', '', 'gpu/clip-tables#copies take'],
    ],
  ),
  ...slipsIn(
    'src/stages/norms/clipped-copies.ts',
    ['gpu/clip-tables#copies take'],
    [
      ['if (slab.userCount === 0) slab.buffer.destroy();', 'slab.buffer.destroy();'],
      ['&& last.buffer.size <= 2 * byteLength', ''],
      ['last.buffer.size >= byteLength &&', ''],
    ],
  ),
  ...slipsIn(
    'src/stages/norms/norm-measures.ts',
    ['gpu/clip-per-tensor#in the reference'],
    [
      ['row: row % rows.rowsPerPage', 'row: 0'],
      ['mask_base: table?.maskBase ?? 0', 'mask_base: 0', 'gpu/clip-tables#columns'],
      ['max_norm: maxNorm', 'max_norm: 1'],
      ['...(table?.mask ? [table.mask] : [])', '', 'gpu/clip-tables#columns'],
      [
        '(command.bindGroup = this.#bindings.bindGroups[k]!)',
        'void command',
        'gpu/clip-per-tensor#come to lie',
      ],
      ['first_total: firstTotal,', 'first_total: firstItem,'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/norms/measure.wgsl',
    ['gpu/clip-per-tensor#of an infinite', 'gpu/clip-tables#columns'],
    [
      ['first_element = portion.first;', ''],
      ['kind_of(sums) == MEDIUM', 'true'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/norms/scale.wgsl',
    ['gpu/clip-per-tensor#of an infinite', 'gpu/clip-per-tensor#in the reference'],
    [
      ['page[header.row].grad_multiplier)', '1.0)', 'gpu/clip-per-tensor#after scaling'],
      ['if (norm - header.max_norm > 0.0) {', 'if (true) {'],
      ['select(0u, 0x7fc00000u', 'select(0x3f800000u, 0x7fc00000u'],
      ['(total.w & NOT_A_NUMBER) != 0u)', 'false)'],
      ['    return 0.0;\n', '    return 1.0;\n'],
    ],
  ),
  ...slipsIn(
    'shaders/stages/norms/total.wgsl',
    ['gpu/clip-per-tensor#in the reference'],
    [['header.first_partial + item.x + i', 'header.first_partial + i']],
  ),
  ...slipsIn(
    'src/stages/norms/totals.ts',
    ['gpu/norms#of all magnitudes'],
    [
      ['large! * SCALE ** 2', 'large!'],
      ['small! * SCALE ** -2', 'small!'],
      ['(flags & NOT_A_NUMBER) !== 0', 'false'],
      ['(flags & INFINITE) !== 0', 'false'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/norms.ts',
    ['gpu/norms#of every parameter', 'gpu/norms#of parameters that rest'],
    [
      ['this.#made = undefined;\n    this.#rows', 'this.#rows', 'fuzz/garbage'],
      ['if (this.#made?.version === version) return this.#made;', 'if (this.#made) return this.#made;'],
      ['gradScale / new Float32Array(lossScale!)[0]!', 'gradScale'],
      ['...(mask && { mask })', '', 'gpu/norms#of columns'],
      ['...(rowLength !== undefined && { rowLength })', '', 'gpu/norms#of columns'],
      ['sums.encode(pass);', 'void sums;', 'gpu/norms#of a sparse'],
      ['at once.\n    this.#made?.measures.destroy();', 'at once.', 'gpu/clip-tables#copies take'],
    ],
  ),
  ...slipsIn(
    'src/engine/calls/state/made-reading.ts',
    ['gpu/norms#of hundreds'],
    [['if (made.value) throw unmade(made.value);', '']],
  ),
  ...slipsIn(
    'src/engine/run/generation.ts',
    ['gpu/clip-per-tensor#in the reference'],
    [
      ['const own = clipStage ? clipStage.withGradients(before) : before;', 'const own = before;'],
      ['list.length > 0', 'true', 'gpu/clip-tables#rest'],
    ],
  ),
  ...slipsIn(
    'src/engine/input/options/gradient-options.ts',
    ['gpu/clip-per-tensor#one limit'],
    [['rejectBothNorms(resolved);', '']],
  ),
  ...slipsIn(
    'src/reference/clip-to-norm.ts',
    ['unit/reference-control'],
    [
      ['f.scalar(multiplier)', 'f.scalar(1)'],
      ['f.where(excess, f.div(most, norm), f.scalar(1))', 'f.div(most, norm)'],
      [
        'places && positionsOf(places)',
        'undefined',
        'gpu/clip-tables#of a sparse',
        'gpu/clip-tables#columns',
      ],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/sum-rows.ts',
    ['gpu/clip-tables#of a sparse'],
    [
      ['.toSorted((a, b) => a - b)', ''],
      ['position += entriesOfRow.get(row)!.length;', 'position++;'],
    ],
  ),
];
