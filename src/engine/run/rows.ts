import type { GroupPart, RunTensor } from './group-part.js';

/** Tensors of one group that have made the same steps, and the row of numbers that they are stepped with. */
export interface Row {
  readonly part: GroupPart;
  readonly tensors: Set<RunTensor>;
  /** Steps that they took part in, as far as the host knows: of those that the GPU skipped it does not. */
  count: number;
  /** Whether its tensors are frozen: no step is theirs. */
  isFrozen: boolean;
  /** The same in rows that took part in the same steps, so that their counts are the same wherever they are kept. */
  history: number;
}

/** The history of who has made no step yet. */
const NEWBORN = 0;

type RowSteps = Pick<Row, 'count' | 'isFrozen' | 'history'>;

/**
 * The rows of an optimizer. Tensors begin in a row per group; what leaves some of a row out splits it, and they share a row again
 * if no step came between. Numbers of rows that have lost all tensors are given again: steps that are encoded have the numbers of
 * their own slot.
 */
export class Rows {
  readonly #rows: (Row | undefined)[] = [];
  readonly #free: number[] = [];
  #isActive: Uint8Array = new Uint8Array(0);
  #lastHistory = NEWBORN;
  /** Histories before a step, and behind it. */
  readonly #following = new Map<number, number>();

  /** The rows by number; none where no tensor is, or is yet. */
  get list(): readonly (Row | undefined)[] {
    return this.#rows;
  }

  /** A number for a row that will be. */
  reserve(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#rows.push(undefined);
    this.#isActive = new Uint8Array(this.#rows.length);
    return this.#rows.length - 1;
  }

  /** Fills a number that was reserved. */
  fill(row: number, part: GroupPart, tensors: Iterable<RunTensor>, like: Partial<RowSteps> = {}): void {
    const { count = 0, isFrozen = false, history = NEWBORN } = like;
    this.#rows[row] = { part, tensors: new Set(tensors), count, isFrozen, history };
  }

  /** Takes a number back. */
  release(row: number): void {
    this.#rows[row] = undefined;
    this.#free.push(row);
  }

  /** Takes a tensor out of its row; a row without tensors is none. */
  remove(tensor: RunTensor): void {
    const { tensors } = this.#rows[tensor.row]!;
    tensors.delete(tensor);
    if (tensors.size === 0) this.release(tensor.row);
  }

  /** Lets tensors be of another group: in rows of their own, with the steps that they have made. */
  move(moved: ReadonlySet<RunTensor>, part: GroupPart): void {
    this.separate(moved);
    for (const row of new Set(Array.from(moved, (tensor) => tensor.row))) {
      const each = this.#rows[row]!;
      this.fill(row, part, each.tensors, each);
    }
    this.#join(part);
  }

  /**
   * Freezes tensors, or lets them go on.
   *
   * @returns whether that changes anything.
   */
  setFrozen(tensors: ReadonlySet<RunTensor>, isFrozen: boolean): boolean {
    const changed = new Set([...tensors].filter(({ row }) => this.#rows[row]!.isFrozen !== isFrozen));
    this.separate(changed);
    for (const { row } of changed) this.#rows[row]!.isFrozen = isFrozen;
    for (const part of new Set(Array.from(changed, (tensor) => tensor.part))) this.#join(part);
    return changed.size > 0;
  }

  /** Puts tensors of a group into one row where they have taken part in the same steps. */
  #join(part: GroupPart): void {
    const joined = { frozen: new Map<number, number>(), stepped: new Map<number, number>() };
    this.#rows.forEach((row, k) => {
      if (row?.part !== part) return;
      const rows = row.isFrozen ? joined.frozen : joined.stepped;
      const into = rows.get(row.history) ?? k;
      rows.set(row.history, into);
      if (into === k) return;
      for (const tensor of row.tensors) {
        this.#rows[into]!.tensors.add(tensor);
        tensor.row = into;
      }
      this.release(k);
    });
  }

  /** Notes a step, and which rows took part in it. */
  note(active: Uint8Array): void {
    this.#following.clear();
    this.#rows.forEach((row, k) => {
      if (!row || active[k] === 0) return;
      row.count++;
      let history = this.#following.get(row.history);
      if (history === undefined) this.#following.set(row.history, (history = ++this.#lastHistory));
      row.history = history;
    });
  }

  isFrozen({ row }: RunTensor): boolean {
    return this.#rows[row]!.isFrozen;
  }

  /**
   * Splits the rows that a step would leave in part.
   *
   * @returns the groups whose tensors are in other rows now.
   */
  separate(skipped: ReadonlySet<RunTensor>): Set<GroupPart> {
    const ofRow = new Map<number, RunTensor[]>();
    for (const tensor of skipped) {
      const list = ofRow.get(tensor.row);
      if (list) list.push(tensor);
      else ofRow.set(tensor.row, [tensor]);
    }
    const changed = new Set<GroupPart>();
    for (const [k, tensors] of ofRow) {
      const row = this.#rows[k]!;
      if (row.tensors.size === tensors.length) continue;
      const fresh = this.reserve();
      for (const tensor of tensors) {
        row.tensors.delete(tensor);
        tensor.row = fresh;
      }
      this.fill(fresh, row.part, tensors, row);
      changed.add(row.part);
    }
    return changed;
  }

  /**
   * Puts tensors that have made the same steps into rows of their own.
   *
   * @param counts of tensors of the group that are given another count than they have.
   * @param historyOf of a tensor and its count, what those that have made the same steps have in common.
   */
  regroup(
    part: GroupPart,
    counts: ReadonlyMap<RunTensor, number>,
    historyOf: (tensor: RunTensor, count: number) => unknown = (_, count) => count,
  ): void {
    const wanted = part.tensors.map((tensor) => {
      const count = counts.get(tensor) ?? this.#rows[tensor.row]!.count;
      return { tensor, count, history: historyOf(tensor, count), isFrozen: this.isFrozen(tensor) };
    });
    const rowOfHistory = { frozen: new Map<unknown, number>(), stepped: new Map<unknown, number>() };
    const free = [...new Set(part.tensors.map(({ row }) => row))];
    for (const { tensor, count, history, isFrozen } of wanted) {
      const rows = isFrozen ? rowOfHistory.frozen : rowOfHistory.stepped;
      let row = rows.get(history);
      if (row === undefined) {
        row = free.shift() ?? this.reserve();
        this.fill(row, part, [], { count, isFrozen, history: ++this.#lastHistory });
        rows.set(history, row);
      }
      this.#rows[row]!.tensors.add(tensor);
      tensor.row = row;
    }
    // What is left over steps nothing.
    for (const row of free) this.release(row);
  }

  /** Per row, whether it takes part in a step; rows that are left out are whole. The next call overwrites it. */
  activeWithout(skipped: ReadonlySet<RunTensor> | undefined): Uint8Array {
    for (let k = 0; k < this.#rows.length; k++) this.#isActive[k] = (this.#rows[k]?.isFrozen ?? true) ? 0 : 1;
    if (skipped) for (const { row } of skipped) this.#isActive[row] = 0;
    return this.#isActive;
  }
}
