/**
 * A process that keeps one vitest alive over the runs of many single test files: starting it takes longer than most
 * files do. `client.ts` starts it in the tree whose files change between runs.
 */
import { join } from 'node:path';
import { type TestSpecification, createVitest } from 'vitest/node';
import { partsOf } from '../../test/mutants/slip.js';

/** What the server is asked: to run one test file, or some of its tests. */
export interface Request {
  /** As in a slip: `unit/arena#the generator`. */
  readonly test: string;
  /** Files that are not what they were at the run before, relative to the tree. */
  readonly changed: readonly string[];
}

/** What it answers. */
export interface Answer {
  readonly isGood: boolean;
  /** What failed first, for people. */
  readonly reason: string;
}

// Workers need no more than vitest gives them: loading what runs this file would take longer than most tests.
process.execArgv.length = 0;

const vitest = await createVitest('test', {
  watch: false,
  bail: 1,
  // Dawn cannot be loaded by threads.
  pool: 'forks',
  // Modules that are shared would still be those of the run before.
  isolate: true,
  // None: whoever asks is told.
  reporters: [{}],
  project: process.argv.slice(2),
});

process.on('message', ({ test, changed }: Request) => {
  void run(test, changed)
    .catch((error: unknown): Answer => ({ isGood: false, reason: String(error) }))
    .then((answer) => process.send!(answer));
});
process.on('disconnect', () => void vitest.close().finally(() => process.exit()));
process.send!('ready');

async function run(test: string, changed: readonly string[]): Promise<Answer> {
  for (const file of changed) vitest.invalidateFile(join(process.cwd(), file));
  const specification = specificationOf(test);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  const module = testModules.find(({ moduleId, project }) => {
    return moduleId === specification.moduleId && project === specification.project;
  });
  if (!module) return { isGood: false, reason: 'it did not run' };
  const [failed] = module.children.allTests('failed');
  const errors = failed ? (failed.result().errors ?? []) : [...module.errors(), ...unhandledErrors];
  const [error] = errors as readonly { readonly message?: string }[];
  const hasPassed = [...module.children.allTests('passed')].length > 0;
  if (module.ok() && unhandledErrors.length === 0 && hasPassed) return { isGood: true, reason: '' };
  return {
    isGood: false,
    reason: `${failed?.name ?? 'the file'}: ${error?.message ?? 'no test has passed'}`,
  };
}

/** By the folder of a test; adapters' frameworks want a page. */
const PROJECT_OF_FOLDER: Readonly<Record<string, string>> = {
  unit: 'unit',
  gpu: 'node',
  e2e: 'e2e',
  nats: 'nats',
};

function specificationOf(test: string): TestSpecification {
  const { path, title } = partsOf(test);
  const project = vitest.getProjectByName(PROJECT_OF_FOLDER[test.slice(0, test.indexOf('/'))]!);
  const testNamePattern = title === undefined ? undefined : new RegExp(escape(title), 'u');
  return project.createSpecification(join(process.cwd(), path), testNamePattern && { testNamePattern });
}

function escape(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/gu, String.raw`\$&`);
}
