/** What a program of the playground has around it, in its worker. */
import { describe } from './describe.js';
import type { Report } from './reports.js';

const report = (message: Report): void => postMessage(message);

/** Runs the module at an address, and tells the page what it logs and how it ends. */
export async function run(address: string): Promise<void> {
  for (const level of ['log', 'info', 'debug', 'warn', 'error'] as const) {
    console[level] = (...values: unknown[]) =>
      report({
        kind: 'text',
        text: values.map((value) => describe(value)).join(' '),
        isError: level === 'warn' || level === 'error',
      });
  }
  addEventListener('unhandledrejection', ({ reason }) => fail(reason, address));
  try {
    await import(/* @vite-ignore */ address);
    report({ kind: 'done' });
  } catch (error) {
    fail(error, address);
  }
}

/** Tells what a statement gave. */
export function show(line: number, values: readonly unknown[], names: readonly string[] = []): void {
  const texts = values.map((value, k) => {
    const text = describe(value);
    return names[k] === undefined ? text : `${names[k]} = ${text}`;
  });
  report({ kind: 'text', line, text: texts.join(', ') });
}

function fail(error: unknown, address: string): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : describe(error);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const line = new RegExp(`${address.replaceAll(/[.?]/gu, '\\$&')}:(?<line>\\d+)`, 'u').exec(stack)?.groups;
  report(line ? { kind: 'failed', text, line: Number(line['line']) } : { kind: 'failed', text });
}
