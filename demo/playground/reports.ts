/** What a running program tells its page. */
export type Report =
  | { readonly kind: 'text'; readonly text: string; readonly line?: number; readonly isError?: boolean }
  /** It threw; the line is not known of everything. */
  | { readonly kind: 'failed'; readonly text: string; readonly line?: number }
  | { readonly kind: 'done' };
