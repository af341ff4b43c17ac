import { readFile } from 'node:fs/promises';
import type { MatrixRuleName } from '../../src/rules/matrix-registry.js';
import type { RuleName } from '../../src/rules/registry.js';
import { DocumentedSource } from './doc-comments.js';

/** Reads a source file of the package; paths are relative to the repository. */
export async function readSource(path: string): Promise<DocumentedSource> {
  return new DocumentedSource(path, await readFile(path, 'utf8'));
}

/** The documentation comment of a rule. */
export async function ruleComment(rule: RuleName | MatrixRuleName): Promise<string> {
  const fileName = rule.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const source = await readSource(`src/rules/${fileName}.ts`);
  return source.commentOf(source.exports().find(({ name }) => name === rule)!.statement);
}
