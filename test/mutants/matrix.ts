/**
 * Slips in what is done with matrices: products, norms, and means of rows and columns.
 *
 * Three conditions only save time, so that no test can miss them: products and norms of a step that is not made, of which nobody
 * reads anything; in direct.wgsl sums that nobody stores; and `places.has`, for stages leave alone what they do not have.
 */
import { slipsIn } from './slip.js';

const muon = ['gpu/muon', 'gpu/matrix-parity#several tiles'];
const adafactor = ['gpu/adafactor#as in the reference', 'gpu/matrix-parity#several tiles'];

export const matrixSlips = [
  ...slipsIn('shaders/stages/matrix/product.wgsl', muon, [
    ['if (row >= product.rows || column >= product.columns) {', 'if (row >= product.rows) {'],
    ['value = product.addend_factor * left_at', 'value = left_at'],
    ['product.scale * (product.addend_factor * right_at', '(product.addend_factor * right_at'],
    [
      'right_at(matrix, row, column) + product.factor * sum',
      'left_at(matrix, row, column) + product.factor * sum',
    ],
    ['store(matrix, column + k, row, sums[k]);', ''],
    ['out[matrix * product.out_step + row', 'out[row'],
    ['while (rest >= product.tiles_across - down) {', 'while (rest > product.tiles_across - down) {'],
    ['return vec2<u32>(down, down + rest);', 'return vec2<u32>(down, rest);'],
    ['let is_mirrored = SYMMETRIC && tile.x != tile.y;', 'let is_mirrored = false;'],
    ['store_four(matrix, row + 3u, column, sums_3', 'store_four(matrix, row + 3u, column, sums_2'],
  ]),
  ...slipsIn(
    'shaders/stages/matrix/tiled.wgsl',
    ['gpu/matrix-parity#several tiles'],
    [
      ['first_inner += DEPTH', 'first_inner += DEPTH + 1u'],
      ['let inner = first_inner + loaded_inner;', 'let inner = loaded_inner;'],
      ['if (inner < product.inner) {', 'if (true) {'],
      ['left_tile[k * FOURS + four_down]', 'left_tile[k * FOURS + four_across]'],
      ['right_at(matrix, inner, column + 3u),', 'right_at(matrix, inner, column + 2u),'],
      ['sums_2 = sums_2 + l.z * r;', 'sums_2 = sums_2 + l.w * r;'],
    ],
  ),
  ...slipsIn('shaders/stages/matrix/direct.wgsl', muon, [
    ['if (row >= product.rows || column', 'if (row + 1u >= product.rows || column'],
    ['var r = matrix * product.right_step + (column', 'var r = (column'],
    ['l = l + vec4<u32>(product.left_inner);', 'l = l + vec4<u32>(1u);'],
    ['sums_1 = sums_1 + left[l.y] * across;', 'sums_1 = sums_1 + left[l.x] * across;'],
  ]),
  ...slipsIn('shaders/stages/matrix/normalize.wgsl', muon, [
    ['return norm + division.eps;', 'return norm;', 'gpu/matrix-parity#setting'],
    ['select(norm, division.eps, norm <= division.eps)', 'norm', 'gpu/matrix-parity#setting', 'gpu/muon'],
    ['tables[division.first_total + matrix]', 'tables[division.first_total]'],
    ['matrix * division.lane_step + i', 'i'],
    ['own_lanes(workgroup % division.portion_count,', 'own_lanes(0u,'],
  ]),
  ...slipsIn('shaders/stages/factor/factor.wgsl', adafactor, [
    ['shared_sums[local_index] + shared_sums[local_index + half]', 'shared_sums[local_index + half]'],
    ['half = THREADS / 2u; half > 0u;', 'half = THREADS / 2u; half > 1u;'],
    ['* factoring.step + (matrix % factoring.per_tensor) * size', '* factoring.step'],
    ['.x + (matrix % factoring.per_tensor) * factoring.height', '.x'],
    ['.y + (matrix % factoring.per_tensor) * factoring.columns', '.y'],
    ['let row = workgroup % factoring.height;', 'let row = workgroup / factoring.height;'],
    ['column < factoring.columns; column += THREADS', 'column < factoring.columns - 1u; column += THREADS'],
    ['total / f32(factoring.columns)', 'total'],
    ['min(first + ROWS_PER_BLOCK, factoring.height)', 'first + ROWS_PER_BLOCK'],
    ['let first = (block % factoring.block_count) * ROWS_PER_BLOCK;', 'let first = 0u;'],
    ['block < factoring.block_count; block++', 'block < 1u; block++'],
    ['partials[first + block * factoring.columns]', 'partials[first + block]'],
    ['followed(factors[place], sum / f32(factoring.height))', 'followed(factors[place], sum)'],
    ['row < factoring.height; row += THREADS', 'row < factoring.columns; row += THREADS'],
    [
      'partials[factoring.first_mean + matrix] = total / f32(factoring.height)',
      'partials[factoring.first_mean + matrix] = total',
    ],
    ['let mean = partials[factoring.first_mean + matrix];', 'let mean = partials[factoring.first_mean];'],
    ['columns_of(matrix) + place % factoring.columns', 'columns_of(matrix)'],
    ['return page[factoring.row].is_active != 0u;', 'return true;', 'gpu/adafactor#where the GPU decides'],
  ]),
  ...slipsIn('shaders/rules/parts/count-power.wgsl', adafactor, [
    ['doublings += 1u;', ''],
    ['square * (1.0 / 9.0) + 1.0 / 7.0', 'square * (1.0 / 9.0)'],
    ['k < doublings; k++', 'k + 1u < doublings; k++'],
  ]),
  ...slipsIn('src/plan/matrix/products.ts', muon, [
    ['const isLast = k === triples.length - 1;', 'const isLast = k === 0;'],
    ['rows > columns ? [1, columns] : [columns, 1]', '[columns, 1]'],
    ['out: { ...x, array: arrayAfter(k + 1) }', 'out: x'],
    ['rows < columns ? [rows, columns] : [columns, rows]', '[rows, columns]'],
  ]),
  ...slipsIn('src/stages/matrix/iteration.ts', muon, [
    ['lane_step: step / LANE', 'lane_step: laneCount'],
    ['workgroup_count: count * tensors.length', 'workgroup_count: count'],
    ['first_total: totals.byteOffset / 16', 'first_total: 0'],
    ['workgroup_count: portionCount * tensors.length', 'workgroup_count: portionCount'],
    ['this.#measures.destroy();', '', 'gpu/object-lifetimes#matrices that come'],
    ['this.#uniforms.destroy();', '', 'gpu/object-lifetimes#matrices that come'],
  ]),
  ...slipsIn('src/stages/matrix/matrix-stage.ts', muon, [
    ['new BatchPlaces(batch, arrays.x0, result)', 'new BatchPlaces(batch, arrays.x0, arrays.x0)'],
    ['batch.tensors.length * length)', 'length)'],
    ['for (const array of this.arrays) array.destroy();', '', 'gpu/object-lifetimes#matrices that come'],
  ]),
  ...slipsIn(
    'src/engine/run/plan-run.ts',
    ['gpu/muon-others#labelled'],
    [['`${label} ${name}${group', '`${label} rule${group']],
  ),
  ...slipsIn('src/stages/factor/factor-records.ts', adafactor, [
    ["take(sideLength('columns', shape!))", "take(sideLength('rows', shape!))"],
    ['byteOffset: 4 * first,', 'byteOffset: first,'],
    ['this.factors.destroy();', '', 'gpu/object-lifetimes#matrices that come'],
  ]),
  ...slipsIn('src/rules/declaring/matrix-size.ts', adafactor, [
    ["return side === 'rows' ? rows :", "return side !== 'rows' ? rows :"],
    ['shape.slice(-2).every(', 'shape.every(', 'unit/adafactor'],
  ]),
  ...slipsIn('src/kernel/matrix-phases.ts', adafactor, [
    ['...(layout.rule.declaration.matrix?.appliedSlots ?? [])', ''],
    ['    tensor: undefined,\n', ''],
  ]),
  ...slipsIn(
    'src/engine/calls/state/editing.ts',
    ['gpu/adafactor#in hand'],
    [['  if (other) {', '  if (!other) {', 'gpu/adafactor#rebound, frozen']],
  ),
];
