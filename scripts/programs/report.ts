/** What is told of a program that has been run twice. */

/** What is alive as a step ends. */
export interface Alive {
  /** Those of tfjs; of jax-js, its GPU buffers. */
  readonly tensors: number;
  /** GPU buffers that this package made. */
  readonly buffers: number;
}

/** What a page reports. */
export interface ProgramRecord {
  /** Losses; of jax-js, all numbers that the program reads. */
  readonly losses: readonly number[];
  readonly steps: number;
  /** As the first step ends; of several optimizers, that of the one that begins last. */
  readonly first: Alive;
  readonly last: Alive;
  /** What was stood in for. */
  readonly standIns: readonly string[];
}

export interface ProgramRun extends ProgramRecord {
  readonly errors: readonly string[];
}

/** A program with its own optimizer, and with ours. */
export interface Comparison {
  readonly name: string;
  readonly theirs: ProgramRun;
  readonly ours: ProgramRun;
}

/** How far losses are apart at most, as a share of them. */
export function furthestOf({ theirs, ours }: Comparison): number {
  if (theirs.losses.length !== ours.losses.length || theirs.steps !== ours.steps) return Infinity;
  return Math.max(
    ...ours.losses.map((loss, k) => Math.abs(loss - theirs.losses[k]!) / Math.abs(theirs.losses[k]!)),
  );
}

const freshErrors = ({ theirs, ours }: Comparison): string[] =>
  ours.errors.filter((error) => !theirs.errors.includes(error));

/** Whether nothing more is left with ours than with its own, there are no errors that it has not without, and losses are numbers. */
export function isGood(comparison: Comparison): boolean {
  const { theirs, ours } = comparison;
  const grown = ({ first, last }: ProgramRecord): number => last.tensors - first.tensors;
  const isSmall = grown(ours) <= grown(theirs) && ours.last.buffers <= ours.first.buffers;
  return isSmall && freshErrors(comparison).length === 0 && Number.isFinite(furthestOf(comparison));
}

/** For the terminal. */
export function tell(comparison: Comparison): string {
  const { name, theirs, ours } = comparison;
  const fresh = freshErrors(comparison);
  const alive = ({ first, last }: ProgramRecord): string =>
    `tensors ${first.tensors} to ${last.tensors}, buffers of ours ${first.buffers} to ${last.buffers}`;
  return [
    `${name}: ${ours.steps} steps, loss ${theirs.losses[0]} to ${theirs.losses.at(-1)}`,
    `  losses differ by ${furthestOf(comparison).toExponential(1)} of them at most`,
    `  its own: ${alive(theirs)}`,
    `  ours: ${alive(ours)}`,
    `  errors: ${fresh.join('; ') || 'none'}${theirs.errors.length > 0 ? `; ${theirs.errors.length} with its own: ${theirs.errors[0]}` : ''}`,
    ...(ours.standIns.length > 0 ? [`  stood in for: ${ours.standIns.join(', ')}`] : []),
  ].join('\n');
}

/** A row of the table. */
export function rowOf(comparison: Comparison): string {
  const { name, theirs, ours } = comparison;
  const alive = ({ first, last }: ProgramRecord): string => `${first.tensors} → ${last.tensors}`;
  const cells = [
    name,
    ours.steps,
    `${theirs.losses[0]!.toPrecision(4)} → ${theirs.losses.at(-1)!.toPrecision(4)}`,
    furthestOf(comparison).toExponential(1),
    alive(theirs),
    alive(ours),
    `${ours.first.buffers} → ${ours.last.buffers}`,
    freshErrors(comparison).length,
    ours.standIns.length > 0 ? 'stand-in' : 'its own',
  ];
  return `| ${cells.join(' | ')} |`;
}
