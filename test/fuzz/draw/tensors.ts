import fc from 'fast-check';
import type { DtypePlan, GroupPlan, RowsPlan, TensorPlan } from '../case/plans.js';
import { chance, perhaps, rates, record } from './basics.js';

/** What the tensors of an optimizer may be, by its rule and its settings. */
export interface TensorKinds {
  readonly sparse: boolean;
  readonly micro: boolean;
  readonly cut: boolean;
  readonly rows: boolean;
  readonly layouts: boolean;
  readonly columns: boolean;
  readonly masks: boolean;
  /** Of a rule of matrices, whether that of all others has its options. */
  readonly matrices: 'of the same options' | 'apart' | undefined;
  /** Whether groups may have options of their own. */
  readonly options: boolean;
  readonly rowLengths: readonly number[];
  readonly dtypes: readonly DtypePlan[];
  /** Whether rows may be of norm 1. */
  readonly isUnit: boolean;
}

/** A group with all that was drawn for it; what its optimizer has no use for is left out by {@link planGroup}. */
export type DrawnGroup = typeof groups extends fc.Arbitrary<infer G> ? G : never;
type DrawnTensor = DrawnGroup['tensors'][number];

const limits = record({
  kind: fc.nat(2),
  min: fc.constantFrom(0, -0.1, -0.4),
  max: fc.constantFrom(0.5, 0.2, 0),
}).map(({ kind, min, max }) => [{ min }, { max }, { min, max }][kind]!);

const side = fc.constantFrom(1, 2, 3, 4, 5, 8, 17);

const shapes = record({
  short: side,
  long: fc.oneof({ arbitrary: side, weight: 9 }, { arbitrary: fc.constant(66), weight: 1 }),
  isTall: fc.boolean(),
  isStack: chance(20),
}).map(({ short, long, isTall, isStack }) => {
  const matrix = isTall ? [long, short] : [short, long];
  return isStack ? [2, ...matrix] : matrix;
});

const tensors = record({
  length: fc.oneof(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 16 }),
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: 600 }),
  ),
  shape: shapes,
  isMatrix: chance(65),
  hasRows: chance(50),
  isSparse: chance(50),
  /** Which of the palette's. */
  rowLength: fc.nat(1),
  kind: fc.nat(1),
  // Few numbers, so that some tensors have the same rows.
  rowCount: fc.oneof({ withCrossShrink: true }, fc.constant(6), fc.integer({ min: 1, max: 30 })),
  spare: fc.oneof(
    { withCrossShrink: true },
    { arbitrary: fc.constant(0), weight: 3 },
    { arbitrary: fc.integer({ min: 1, max: 8 }), weight: 2 },
  ),
  dataGap: perhaps(30, fc.integer({ min: 1, max: 4 })),
  gradGap: perhaps(30, fc.integer({ min: 1, max: 4 })),
  hasMask: chance(25),
  columns: perhaps(25, fc.array(fc.constantFrom(1, 0.5, 2, 0.3), { minLength: 16, maxLength: 16 })),
  isUnit: chance(15),
  constraint: perhaps(20, limits),
  // In hundredths of it.
  cutAt: perhaps(15, fc.nat(99)),
  entryCount: fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 9 },
    { arbitrary: fc.integer({ min: 1, max: 80 }), weight: 1 },
  ),
  hasCount: chance(40),
});

/** Groups, with names yet to be given. */
export const groups = record({
  tensors: fc.oneof(
    { arbitrary: fc.array(tensors, { minLength: 1, maxLength: 3 }), weight: 3 },
    { arbitrary: fc.array(tensors, { minLength: 1, maxLength: 8 }), weight: 2 },
  ),
  hasDecay: chance(20),
  isOthers: chance(20),
  lr: perhaps(40, rates),
});

/**
 * A group of an optimizer whose tensors may be of some kinds.
 *
 * @param joins whether it is to join, so that it must be one group.
 */
export function planGroup(
  { tensors: drawn, hasDecay, isOthers: isWanted, lr }: DrawnGroup,
  kinds: TensorKinds,
  joins: boolean,
  nextName: () => string,
): GroupPlan {
  const hasOptions = kinds.options && (hasDecay || lr !== undefined);
  const isOthers = kinds.matrices !== undefined && isWanted;
  const isApart = kinds.matrices === 'apart' && hasOptions && !isOthers;
  const hasShape = (tensor: DrawnTensor): boolean => {
    if (kinds.matrices === undefined) return false;
    return isApart || (joins ? drawn[0]! : tensor).isMatrix;
  };
  return {
    options: kinds.options && hasDecay ? { weightDecay: 0.1 } : {},
    ...(kinds.options && lr !== undefined && { lr }),
    ...(isOthers && { isOthers }),
    tensors: drawn.map((tensor) => {
      const isMatrix = hasShape(tensor);
      const own = isMatrix && !isOthers ? { ...kinds, sparse: false, masks: false } : kinds;
      return planTensor({ ...tensor, isMatrix }, own, nextName());
    }),
  };
}

function planTensor(drawn: DrawnTensor, kinds: TensorKinds, name: string): TensorPlan {
  const isSparse = kinds.sparse && drawn.isSparse;
  const dtypes = kinds.dtypes[drawn.kind % kinds.dtypes.length]!;
  const constraint = kinds.layouts && drawn.constraint ? { constraint: drawn.constraint } : {};
  const cut = (count: number) => {
    if (!kinds.cut || isSparse || drawn.cutAt === undefined || count < 2) return undefined;
    return 1 + Math.floor((drawn.cutAt * (count - 1)) / 100);
  };
  if (isSparse || (kinds.rows && drawn.hasRows)) {
    const { rowCount, entryCount, hasCount } = drawn;
    const rowLength = rowLengthOf(drawn, kinds);
    const rowsBefore = cut(rowCount);
    const isUnit = kinds.layouts && kinds.isUnit && drawn.isUnit;
    return {
      name,
      ...dtypes,
      length: rowLength * rowCount,
      ...(drawn.isMatrix && { shape: [rowCount, rowLength] }),
      hasMicro: kinds.micro && !isSparse,
      rows: planRows(drawn, kinds, isSparse),
      ...(isUnit ? { constraint: 'unit-rows' as const } : constraint),
      ...(rowsBefore !== undefined && { cut: rowLength * rowsBefore }),
      ...(isSparse && { sparse: { entryCount, hasCount } }),
    };
  }
  const { shape, isMatrix } = drawn;
  const length = isMatrix ? shape.reduce((product, each) => product * each, 1) : drawn.length;
  const first = cut(length);
  return {
    name,
    ...dtypes,
    length,
    ...(isMatrix && { shape }),
    hasMicro: kinds.micro,
    ...constraint,
    ...(first !== undefined && { cut: first }),
  };
}

const rowLengthOf = ({ rowLength }: DrawnTensor, { rowLengths }: TensorKinds): number =>
  rowLengths[rowLength % rowLengths.length]!;

function planRows(drawn: DrawnTensor, kinds: TensorKinds, isSparse: boolean): RowsPlan {
  const { micro, layouts, columns, masks } = kinds;
  const length = rowLengthOf(drawn, kinds);
  const { dataGap, gradGap, hasMask } = drawn;
  // What is given for micro-batches is as long as the gradients.
  const spare = micro ? 0 : drawn.spare;
  if (!layouts) return { length, spare };
  return {
    length,
    spare,
    ...(dataGap && { dataGap }),
    ...(!isSparse && gradGap && { gradGap }),
    ...(!isSparse && masks && hasMask && { hasMask: true }),
    ...(columns && drawn.columns && { columns: drawn.columns.slice(0, length) }),
  };
}
