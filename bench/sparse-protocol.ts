/** What `sparse.ts` and its page say to each other. */

/** One optimizer over one table. */
export interface TableRequest {
  readonly rule: string;
  readonly rowCount: number;
  readonly rowLength: number;
  /** Entries of the sparse gradient, of random rows; absent for a dense gradient. */
  readonly entryCount?: number;
}

/** The page's side, as `globalThis.bench`. */
export interface SparsePage {
  open(): Promise<{ adapter: string; browser: string }>;
  /** Makes a table and its optimizer; returns its number. */
  add(request: TableRequest): Promise<number>;
  /** Milliseconds that so many steps take. */
  measure(table: number, steps: number): Promise<number>;
}
