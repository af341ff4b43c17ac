import { CELLS_WGSL } from '../codecs/codec.js';
import type { StretchAccess } from '../plan/stretch.js';
import { findRateScalars } from './rate-scalars.js';
import type { RuleLayout } from './rule-layout.js';

/** Whether rows have lanes of their own: else a lane may reach over the end of a row. */
const hasRowLanes = ({ isListed, isUnit }: StretchAccess): boolean => Boolean(isListed || isUnit);

/** WGSL that says where the lanes of a tensor lie, and which are there. */
export function composePlaces(access: StretchAccess): string {
  const { rowLength, isMasked, isListed } = access;
  const ofRows = rowLength === undefined ? '' : CELLS_WGSL;
  const ofMask = isMasked && !isListed ? MASK : '';
  return `${ofRows}${ofMask}${hasRowLanes(access) ? composeRowPlaces(access) : composeDense(access)}`;
}

/** The call that steps a lane, and the functions that it needs. */
export function composeStepping(layout: RuleLayout, access: StretchAccess): { call: string; wgsl: string } {
  let call = 'stepped';
  let wgsl = '';
  if (access.isScaled) {
    call = 'stepped_columns';
    wgsl += composeColumns(layout);
  }
  // Where rows have lanes of their own, those that are left alone are not even begun.
  if (access.isMasked && !hasRowLanes(access)) {
    wgsl += composeActive(layout, call);
    call = 'stepped_active';
  }
  return { call, wgsl };
}

/** What is done to the new weights of a lane, last of all. */
export function composeConstraint({ isLimited }: StretchAccess): string {
  return `fn constrained(w: lane) -> lane {
  return ${isLimited ? 'between(w, segment.min_weight, segment.max_weight)' : 'w'};
}
`;
}

/** Where lane `i` of a loop lies, and its gradient. */
export const placesIn = (access: StretchAccess): { at: string; gradAt: string } =>
  hasRowLanes(access)
    ? { at: 'place_in(row_number, within)', gradAt: 'place_in(entry, within)' }
    : { at: 'place_of(i)', gradAt: 'grad_place_of(i)' };

/**
 * The loop over an invocation's share of a tensor; `body` steps a lane, at {@link placesIn}. Where some are to be left alone, the
 * next one is looked for in a loop of its own: `continue` would have a wave on a CPU go through the body without effect.
 */
export function composeLoop(k: number, body: string, access: StretchAccess): string {
  const { isUnit, isListed } = access;
  const name = isUnit ? 'entry' : 'i';
  // Of a row that is named, the lanes have a loop of their own, which ends behind the last.
  const behind = isListed && !isUnit ? name : `${name} + lanes.stride`;
  const [first, next] =
    isListed || access.isMasked
      ? ['next_in(lanes, lanes.first)', `next_in(lanes, ${behind})`]
      : ['lanes.first', behind];
  const loop = `  let lanes = own_lanes(workgroup, local_index, segment.lane_count);
  for (var ${name} = ${first}; ${name} < lanes.end; ${name} = ${next}) {`;
  if (!hasRowLanes(access)) {
    return `${loop}
${body}
  }`;
  }
  if (!isUnit) {
    return `${loop}
    let entry = i / ROW_LANES;
    let row_number = row_of(entry);
    let first = entry * ROW_LANES;
    for (; i < min(lanes.end, first + ROW_LANES); i += lanes.stride) {
      let within = i - first;
${body}
    }
  }`;
  }
  return `${loop}
    let row_number = row_of(entry);
    for (var within = 0u; within < ROW_LANES; within++) {
${body}
    }
    divide_row_${k}(row_number);
  }`;
}

/**
 * Divides a row of weights by its norm. A power of two keeps squares from over- and underflow, so that no row is too long
 * or too short; one of zeros, or that is not finite, stays as it is, which bits tell: WGSL may take floats to be finite.
 */
export function composeDivision(k: number, { isUnit }: StretchAccess): string {
  if (!isUnit) return '';
  return `fn divide_row_${k}(row_number: u32) {
  var largest = 0u;
  for (var within = 0u; within < ROW_LANES; within++) {
    let bits = bitcast<vec4<u32>>(load_data_${k}(place_in(row_number, within))) & vec4<u32>(0x7fffffffu);
    largest = max(largest, max(max(bits.x, bits.y), max(bits.z, bits.w)));
  }
  if (largest < 0x00800000u || largest >= 0x7f800000u) {
    return;
  }
  let scale = bitcast<f32>((255u - (largest >> 23u)) << 23u);
  var sum = 0.0;
  for (var within = 0u; within < ROW_LANES; within++) {
    let at = place_in(row_number, within);
    let scaled = load_data_${k}(at) * scale;
    let is_valid = vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(at.valid);
    let squares = select(lane(0.0), scaled * scaled, is_valid);
    sum += (squares.x + squares.y) + (squares.z + squares.w);
  }
  let norm = sqrt(sum);
  for (var within = 0u; within < ROW_LANES; within++) {
    let at = place_in(row_number, within);
    store_data_${k}(at, load_data_${k}(at) * scale / norm);
  }
}

`;
}

/** The next of an invocation's lanes, or of its rows, from `start` on, that is to be stepped; at their end, or behind it, if there is none. */
const composeNext = (has: string, skip: string): string => `fn next_in(lanes: LaneRange, start: u32) -> u32 {
  var next = start;
  while (next < lanes.end && !${has}) {
    next = select(next + lanes.stride, ${skip}, CONSECUTIVE);
  }
  return next;
}
`;

/** Lanes lie where their numbers say. */
function composeDense({ isMasked }: StretchAccess): string {
  // All rows that a lane has a part of are left alone: the next one that is not begins behind the last of them.
  const ofMask = isMasked
    ? `fn behind_rows(i: u32) -> u32 {
  let at = place_of(i);
  return max(i + 1u, ((at.element + at.valid - 1u) / ROW_LENGTH + 1u) * ROW_LENGTH / 4u);
}

${composeNext('any(active_in(place_of(next)))', 'behind_rows(next)')}
`
    : '';
  return `${ofMask}fn place_of(i: u32) -> Place {
  return Place(i, 4u * i, min(4u, segment.element_count - 4u * i));
}

fn grad_place_of(i: u32) -> Place {
  return place_of(i);
}
`;
}

/** Which of a lane's elements are in rows that are stepped. */
const MASK = `fn active_in(at: Place) -> vec4<bool> {
  if (ROW_LENGTH % 4u == 0u) {
    return vec4<bool>(mask[segment.mask_base + at.element / ROW_LENGTH] != 0u);
  }
  let rows = segment.mask_base + cells_of(at).rows;
  return vec4<u32>(mask[rows.x], mask[rows.y], mask[rows.z], mask[rows.w]) != vec4<u32>(0u);
}

`;

/**
 * Lanes of rows one after the other, each with lanes of its own: of all rows, or of those that a list names. Those of the
 * gradient are in the order of the list then. `NO_ROW` stands for an entry that is not its row's first: no binding is large
 * enough for a row of that number.
 */
function composeRowPlaces({ isListed, isMasked, isUnit }: StretchAccess): string {
  // Entries that are not the first of their row have no gradient left: they read and write nothing.
  const has = isListed ? 'rows[entry] != NO_ROW' : 'mask[segment.mask_base + entry] != 0u';
  const ofSome =
    isListed || isMasked
      ? `fn has_row(entry: u32) -> bool {
  return ${has};
}

${isUnit ? composeNext('has_row(next)', 'next + 1u') : composeNext('has_row(next / ROW_LANES)', '(next / ROW_LANES + 1u) * ROW_LANES')}
`
      : '';
  return `override ROW_LANES: u32 = (ROW_LENGTH + 3u) / 4u;

const NO_ROW: u32 = 0xffffffffu;

fn place_in(row_number: u32, within: u32) -> Place {
  return Place(
    row_number * ROW_LANES + within,
    row_number * ROW_LENGTH + 4u * within,
    min(4u, ROW_LENGTH - 4u * within),
  );
}

${ofSome}fn row_of(entry: u32) -> u32 {
  return ${isListed ? 'rows[entry]' : 'entry'};
}
`;
}

/** Leaves elements alone whose rows are: weights and state keep their bits. */
function composeActive({ laneSlots }: RuleLayout, call: string): string {
  const keep = laneSlots.map((slot) => `  let before_${slot} = ${slot};\n`).join('');
  const choose = laneSlots
    .map((slot) => `  ${slot} = select(before_${slot}, ${slot}, is_active);\n`)
    .join('');
  return `fn stepped_active(before: lane, gradient: lane, at: Place) -> lane {
  let is_active = active_in(at);
${keep}  let after = ${call}(before, gradient${call === 'stepped' ? '' : ', at'});
${choose}  return select(before, after, is_active);
}

`;
}

/**
 * Steps the elements of a lane with the learning rates of their columns: once for each factor that is among the four, and
 * that mostly is one.
 */
function composeColumns({ laneSlots, rule }: RuleLayout): string {
  const rateScalars = findRateScalars(rule);
  const lines = (names: readonly string[], line: (name: string) => string) =>
    names.map((name) => `${line(name)}\n`).join('');
  return `fn factors_of(at: Place) -> lane {
  let columns = cells_of(at).columns;
  let four = columns / 4u;
  let one = columns % 4u;
  return lane(
    segments.columns[four.x][one.x],
    segments.columns[four.y][one.y],
    segments.columns[four.z][one.z],
    segments.columns[four.w][one.w],
  );
}

fn stepped_columns(before: lane, gradient: lane, at: Place) -> lane {
  let factors = factors_of(at);
${lines(rateScalars, (name) => `  let whole_${name} = h.${name};`)}${lines(
    laneSlots,
    (slot) => `  let before_${slot} = ${slot};\n  var after_${slot} = ${slot};`,
  )}  var result = before;
  var left = vec4<bool>(true);
  for (var turn = 0u; turn < 4u && any(left); turn++) {
    var factor = factors.w;
    if (left.z) {
      factor = factors.z;
    }
    if (left.y) {
      factor = factors.y;
    }
    if (left.x) {
      factor = factors.x;
    }
${lines(rateScalars, (name) => `    h.${name} = whole_${name} * factor;`)}    prepare();
${lines(laneSlots, (slot) => `    ${slot} = before_${slot};`)}    let after = stepped(before, gradient);
    let own = left & (factors == lane(factor));
    result = select(result, after, own);
${lines(laneSlots, (slot) => `    after_${slot} = select(after_${slot}, ${slot}, own);`)}    left = left & !own;
  }
${lines(rateScalars, (name) => `  h.${name} = whole_${name};`)}${lines(
    laneSlots,
    (slot) => `  ${slot} = after_${slot};`,
  )}  return result;
}

`;
}
