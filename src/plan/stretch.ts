import { OptimizerError } from '../errors.js';
import { type StateForm, stateFormOf, type Access, type Codec, LANE } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import { alignDown, alignUp } from '../kernel/alignment.js';
import {
  type Chunk,
  type GradBinding,
  bindPiece,
  bindingAlignment,
  firstOf,
  gradBindingOf,
  restOf,
  union,
} from './cut.js';
import {
  type Binding,
  type BufferFacts,
  ELEMENT_BYTE_LENGTH,
  type NamedRows,
  type Piece,
  type PlanLimits,
  type WeightConstraint,
  elementByteLengthOf,
  endOf,
  isWoven,
  strideOf,
} from './pieces.js';
import type { Run } from './join.js';

/** How a stretch reaches its elements; with the rule's switches, all that two step kernels differ in. */
export interface StretchAccess {
  readonly data: Access;
  readonly grad: Access;
  readonly state: Access;
  readonly gradBinding: GradBinding;
  /** Elements per row, where the kernel must know. */
  readonly rowLength?: number;
  /** Whether only the rows of a list are stepped. */
  readonly isListed?: true;
  /** Whether rows may be left alone. */
  readonly isMasked?: true;
  /** Whether columns have learning rates of their own. */
  readonly isScaled?: true;
  /** Whether each row of weights is divided by its norm: an invocation steps whole rows then. */
  readonly isUnit?: true;
  /** Whether weights have limits. */
  readonly isLimited?: true;
  /** Elements from one row to the next, where rows lie apart. */
  readonly dataStride?: number;
  readonly gradStride?: number;
  /** How the elements of weights and gradients lie in memory, where not as float32. */
  readonly dataCodec?: Codec;
  readonly gradCodec?: Codec;
  /** Whether weights are rounded by chance. */
  readonly isDrawn?: true;
  /** Whether weights that become infinite by rounding are counted. */
  readonly isCounted?: true;
}

/** The range of every slot's slab that a dispatch binds, in elements. */
export interface StateRange {
  readonly slab: number;
  readonly element: number;
  readonly elementCount: number;
}

/** What one part of a dispatch covers. Bases count in units of the bound arrays: vec4s or single elements. */
export interface Stretch<B> {
  /** The first of the tensors that it covers. */
  readonly index: number;
  readonly row: number;
  readonly access: StretchAccess;
  readonly elementCount: number;
  /** The element of its tensor at which it begins. */
  readonly firstElement: number;
  /** Lanes, or rows where an invocation steps whole ones. */
  readonly laneCount: number;
  readonly data: Binding<B>;
  readonly dataBase: number;
  /** Absent if there is no gradient, or if it is reached through `data`. */
  readonly grad?: Binding<B>;
  readonly gradBase: number;
  /** The list of rows, if only these are stepped. */
  readonly rows?: Binding<B>;
  /** A number per row, if rows may be left alone. */
  readonly mask?: Binding<B>;
  readonly maskBase?: number;
  /** Factors of the columns, and limits of the weights. */
  readonly columns?: readonly number[];
  readonly constraint?: WeightConstraint;
  /** Absent where nothing is kept. */
  readonly state?: StateRange;
  /** Elements from the beginning of `state`. */
  readonly stateStart: number;
}

/** Tensors up to this many elements whose last lane is not whole stay one stretch: one dispatch instead of two. */
const ONE_STRETCH = 4096;

const ALL_FLOAT32 = stateFormOf([f32]);

/** What a planner of stretches must know. */
export interface StretchFacts<B> extends BufferFacts<B> {
  readonly limits: PlanLimits;
  /** How all slots that a kernel binds lie together; default float32. */
  readonly stateForm?: StateForm;
  /** Whether weights that are no float32 are rounded by chance: their tensors are by themselves then. */
  readonly isDrawn?: true;
  /** Whether those of them are counted that become infinite by rounding, if their codec can tell. */
  readonly isCounted?: true;
}

/** The run that stretches belong to, as far as it says how they are stepped. */
export type SteppedRun<B> = Pick<
  Run<B>,
  'members' | 'row' | 'rows' | 'isGathered' | 'rowLength' | 'columns' | 'constraint'
>;

/**
 * The stretches of a chunk: one, or its whole lanes and the rest of a long one that cannot be reached as vec4s. Tables take
 * one. Of rows of a list, the chunk is the whole table, with lanes of their own for each row, and its gradient a row per entry.
 */
export function planStretches<B>(
  run: SteppedRun<B>,
  chunk: Chunk<B>,
  facts: StretchFacts<B>,
  firstElement = 0,
): Stretch<B>[] {
  const { elementCount } = chunk.data;
  const rest = elementCount % Math.max(LANE, formOf(facts).cutLength);
  const isCut =
    !run.rows && !chunk.table && rest > 0 && elementCount > ONE_STRETCH && !isWholeVectors(chunk, facts);
  const body = elementCount - rest;
  const parts = isCut ? [firstOf(chunk, body), restOf(chunk, body)] : [chunk];
  return parts.map((part, k) => planStretch(run, part, facts, firstElement + k * body));
}

function isWholeVectors<B>({ data, grad, state }: Chunk<B>, facts: StretchFacts<B>): boolean {
  const isStateWhole = !state || state.isPadded || state.elementCount % LANE === 0;
  return canRead(data, facts) && (!grad || canRead(grad, facts)) && isStateWhole;
}

/**
 * Whether whole vec4s may be read and written: what lies behind the end is nobody's. It does not matter how long the buffer
 * is: a framework's gradients come in buffers of other lengths, and are to be read by the same kernel.
 */
export function canRead<B>(piece: Piece<B>, { paddingOf }: BufferFacts<B>): boolean {
  // A whole vec4 of rows that lie apart may be in part another's.
  if (piece.rows) return false;
  const end = endOf(piece);
  const lane = LANE * elementByteLengthOf(piece);
  return piece.byteOffset % lane === 0 && (end % lane === 0 || paddingOf(piece.buffer, end) >= lane);
}

function planStretch<B>(
  run: SteppedRun<B>,
  chunk: Chunk<B>,
  facts: StretchFacts<B>,
  firstElement: number,
): Stretch<B> {
  const { members, row, rows, isGathered, columns, constraint } = run;
  const { data, grad, state, table } = chunk;
  const mask = table?.mask;
  const isDrawn = data.codec && facts.isDrawn;
  if (isDrawn && firstElement % LANE !== 0) throw cutWithinLane(firstElement);
  const rowLength = rows?.rowLength ?? run.rowLength;
  const isUnit = constraint === 'unit-rows';
  const alignment = bindingAlignment(facts.limits);
  const gradBinding = isGathered ? 'gathered' : gradBindingOf(chunk, facts.limits);
  const isShared = gradBinding === 'shared';
  // Rows that have lanes of their own can be read as vec4s if they are whole ones.
  const isWhole = !(rows || isUnit) || rowLength! % LANE === 0;
  let dataAccess = accessOf(data, isWhole && canRead(data, facts));
  let gradAccess = grad ? accessOf(grad, isWhole && canRead(grad, facts)) : accessIf(isWhole);
  // One array has elements of one type.
  if (isShared && (dataAccess === 'vector') !== (gradAccess === 'vector')) {
    dataAccess = accessOf(data, false);
    gradAccess = accessOf(grad!, false);
  }
  if (isShared && [dataAccess, gradAccess].includes('woven')) dataAccess = gradAccess = 'woven';
  const dataBinding = extend(
    isShared ? union(chunk, alignment) : bindPiece(data, alignment),
    dataAccess,
    data,
  );
  const gradBound = grad && (isShared ? dataBinding : extend(bindPiece(grad, alignment), gradAccess, grad));
  const maskBound = mask && bindPiece(mask, alignment);
  const isStateWhole =
    !state || (state.element % LANE === 0 && (state.isPadded || state.elementCount % LANE === 0));
  return {
    index: members[0]!.index,
    row,
    access: {
      data: dataAccess,
      grad: gradAccess,
      state: accessIf(isWhole && isStateWhole),
      gradBinding,
      ...(rowLength !== undefined && { rowLength }),
      ...(rows && { isListed: true }),
      ...(mask && { isMasked: true }),
      ...(columns && { isScaled: true }),
      ...(isUnit && { isUnit }),
      ...(typeof constraint === 'object' && { isLimited: true }),
      ...stridesOf(data, grad, dataAccess === 'woven' ? rowLength : undefined),
      ...codecsOf(data, grad),
      ...(isDrawn && { isDrawn }),
      ...(facts.isCounted && data.codec?.overflowsFrom !== undefined && { isCounted: true }),
    },
    elementCount: data.elementCount,
    firstElement,
    laneCount: countLanes(data.elementCount, rows, isUnit ? rowLength : undefined),
    data: dataBinding,
    dataBase: (data.byteOffset - dataBinding.offset) / unitOf(dataAccess, data),
    ...(gradBound && !isShared && { grad: gradBound }),
    gradBase: gradBound ? (grad.byteOffset - gradBound.offset) / unitOf(gradAccess, grad) : 0,
    ...(rows && { rows: { buffer: rows.buffer, offset: 0, size: 4 * rows.entryCount } }),
    ...(maskBound && {
      mask: maskBound,
      maskBase: (mask.byteOffset - maskBound.offset) / ELEMENT_BYTE_LENGTH,
    }),
    ...(columns && { columns }),
    ...(constraint && { constraint }),
    ...stateRange(state, facts),
  };
}

const cutWithinLane = (element: number): OptimizerError =>
  new OptimizerError(
    'limit-exceeded',
    `a tensor is cut behind ${element} elements by what the device binds at once, and stochasticRounding takes ${LANE} together; request it ` +
      'with a larger requiredLimits.maxStorageBufferBindingSize, or leave stochasticRounding out.',
  );

const lanesIn = (elementCount: number): number => Math.ceil(elementCount / LANE);

/** @param unitLength elements per row, if an invocation steps whole rows. */
function countLanes(
  elementCount: number,
  rows: NamedRows<unknown> | undefined,
  unitLength: number | undefined,
): number {
  if (unitLength !== undefined) return rows ? rows.entryCount : elementCount / unitLength;
  return rows ? rows.entryCount * lanesIn(rows.rowLength) : lanesIn(elementCount);
}

/**
 * Elements from one row to the next, where rows lie apart.
 *
 * @param dense those of rows without gaps, where kernels must know these, too.
 */
export function stridesOf(
  data: Piece<unknown>,
  grad: Piece<unknown> | undefined,
  dense?: number,
): Pick<StretchAccess, 'dataStride' | 'gradStride'> {
  return {
    ...((data.rows || dense !== undefined) && { dataStride: strideOf(data) ?? dense! }),
    ...((grad?.rows || (grad && dense !== undefined)) && { gradStride: strideOf(grad) ?? dense! }),
  };
}

/** The codecs of what is no float32. */
export function codecsOf(
  data: Piece<unknown>,
  grad: Piece<unknown> | undefined,
): Pick<StretchAccess, 'dataCodec' | 'gradCodec'> {
  return {
    ...(data.codec && { dataCodec: data.codec }),
    ...(grad?.codec && { gradCodec: grad.codec }),
  };
}

/** How a piece is reached. */
export function accessOf(piece: Piece<unknown>, isVector: boolean): Access {
  if (piece.rows) return isWoven(piece) ? 'woven' : 'strided';
  return accessIf(isVector);
}

export const accessIf = (isVector: boolean): Access => (isVector ? 'vector' : 'gather');

/** Bytes of what bases count in: of a lane where whole ones are accessed, else of an element. */
export const unitOf = (access: Access, piece: Pick<Piece<unknown>, 'codec'> = {}): number =>
  elementByteLengthOf(piece) * (access === 'vector' ? LANE : 1);

/** Up to the end of the last lane, where whole ones are accessed. */
export function extend<B>(
  binding: Binding<B>,
  access: Access,
  piece: Pick<Piece<unknown>, 'codec'>,
): Binding<B> {
  return access === 'vector' ? { ...binding, size: alignUp(binding.size, unitOf(access, piece)) } : binding;
}

type StateFacts = Pick<StretchFacts<unknown>, 'limits' | 'stateForm'>;

/** How the state of a kernel lies. */
export const formOf = ({ stateForm = ALL_FLOAT32 }: Pick<StateFacts, 'stateForm'>): StateForm => stateForm;

/** Facts to plan tensors with whose state lies, and whose weights are rounded, as a layout says. */
export const withLayout = <B>(
  facts: StretchFacts<B>,
  { stateForm, rule }: { readonly stateForm: StateForm; readonly rule: { readonly seed?: number } },
): StretchFacts<B> => ({ ...facts, stateForm, ...(rule.seed !== undefined && { isDrawn: true }) });

/** The elements that a binding of state begins at a multiple of, whatever slot it is. */
export const stateAlignment = (facts: StateFacts): number =>
  formOf(facts).alignment(bindingAlignment(facts.limits));

/** What is bound of state: from a multiple of the alignment on, and whole lanes and blocks where the last one is its own. */
export function stateRange(
  state: Chunk<unknown>['state'],
  facts: StateFacts,
): { state?: StateRange; stateStart: number } {
  if (!state) return { stateStart: 0 };
  const element = alignDown(state.element, stateAlignment(facts));
  const end = state.element + state.elementCount;
  const elementCount =
    (state.isPadded ? alignUp(end, Math.max(LANE, formOf(facts).cutLength)) : end) - element;
  return { state: { slab: state.slab, element, elementCount }, stateStart: state.element - element };
}
