/**
 * A process that keeps one vitest, and with it one browser, alive over the runs of many single test files: starting them
 * takes longer than most files do. `client.ts` starts it in the tree whose files change between runs.
 */
import { join } from 'node:path';
import { type TestSpecification, createVitest } from 'vitest/node';

/** What the server is asked: to run one test file. */
export interface Request {
  /** As in a slip: `unit/arena`. */
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

/** Where nothing is wrong, no test of those that are named by slips takes so long. */
const TEST_TIMEOUT_MS = 30_000;

const vitest = await createVitest('test', {
  watch: false,
  bail: 1,
  testTimeout: TEST_TIMEOUT_MS,
  // None: whoever asks is told.
  reporters: [{}],
  project: ['unit', 'chrome'],
});
await vitest.standalone();

process.on('message', ({ test, changed }: Request) => {
  void run(test, changed)
    .catch((error: unknown): Answer => ({ isGood: false, reason: String(error) }))
    .then((answer) => process.send!(answer));
});
process.on('disconnect', () => void vitest.close().finally(() => process.exit()));
process.send!('ready');

async function run(test: string, changed: readonly string[]): Promise<Answer> {
  for (const file of changed) vitest.invalidateFile(join(process.cwd(), file));
  const specification = await specificationOf(test);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  const module = testModules.find(({ moduleId, project }) => {
    return moduleId === specification.moduleId && project === specification.project;
  });
  if (!module) return { isGood: false, reason: 'it did not run' };
  const [failed] = module.children.allTests('failed');
  const errors = failed ? (failed.result().errors ?? []) : [...module.errors(), ...unhandledErrors];
  const [error] = errors as readonly { readonly message?: string }[];
  const isGood = module.ok() && unhandledErrors.length === 0;
  return { isGood, reason: isGood ? '' : `${failed?.name ?? 'the file'}: ${error?.message ?? 'no message'}` };
}

async function specificationOf(test: string): Promise<TestSpecification> {
  const name = test.startsWith('unit/') ? 'unit' : 'chrome';
  const found = await vitest.globTestSpecifications([`test/${test}.test.ts`]);
  const specification = found.find(({ project }) => project.name === name);
  if (!specification) throw new Error(`There is no test/${test}.test.ts in the project ${name}.`);
  return specification;
}
