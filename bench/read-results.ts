import { readFileSync } from 'node:fs';
import type { Results } from '../lab/measuring/rows.js';
import type { SuiteResults } from './suite.js';

/**
 * Reads a file of `--json` or `--save`.
 *
 * @throws Error in one line, if it is none.
 */
export function readResults(file: string): Results | SuiteResults {
  let results: unknown;
  try {
    results = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (Array.isArray((results as Partial<Results> | null)?.rows)) return results as Results | SuiteResults;
  throw new Error(`${file} is no result of npm run bench: it has no rows.`);
}
