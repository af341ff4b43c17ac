import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The projects there are, and what each shows. */
export const TEMPLATES = {
  wgsl: 'shaders of your own',
  tfjs: 'TensorFlow.js',
  jax: 'jax-js',
  onnxruntime: 'ONNX Runtime, with a graph that webgpu-optim-onnx makes',
} as const;

export type TemplateName = keyof typeof TEMPLATES;

interface Project {
  /** The folder of the template. */
  readonly from: string;
  /** The folder of the project, an absolute path. */
  readonly target: string;
  /** The version of this package that the project depends on. */
  readonly version: string;
}

/** npm leaves files of this name out of packages, so no template has it. */
const GITIGNORE = 'node_modules/\ndist/\n';

/**
 * Writes a project.
 *
 * @returns the names of its files.
 * @throws Error in one line, before anything is written, if the folder is not empty or is none.
 */
export function writeProject({ from, target, version }: Project): string[] {
  rejectTaken(target);
  const files = new Map([['.gitignore', GITIGNORE]]);
  for (const name of filesIn(from)) {
    const text = readFileSync(join(from, name), 'utf8');
    files.set(name, name === 'package.json' ? manifestOf(text, target, version) : text);
  }
  for (const [name, text] of files) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), text);
  }
  return [...files.keys()];
}

function rejectTaken(target: string): void {
  const found = statSync(target, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new Error(`"${target}" is a file; name a folder that is new or empty.`);
  // A repository that has just been made is empty to its maker.
  const taken = readdirSync(target).find((name) => name !== '.git');
  if (taken !== undefined) {
    throw new Error(`"${target}" is not empty, it has "${taken}"; name a folder that is new or empty.`);
  }
}

/** The template's, with the folder's name and the version that is running. */
function manifestOf(text: string, target: string, version: string): string {
  const manifest = JSON.parse(text) as { name: string; dependencies: Record<string, string> };
  // What npm allows in a name.
  const name = basename(target)
    .toLowerCase()
    .replaceAll(/[^a-z\d.~-]+/gu, '-')
    .replace(/^[.-]+/u, '');
  const dependencies = { ...manifest.dependencies, 'webgpu-optim': `^${version}` };
  return `${JSON.stringify({ ...manifest, name: name || 'training', dependencies }, undefined, 2)}\n`;
}

/** A template's own files, and not what comes of running it in its place. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'package-lock.json')
    .map(({ name }) => name);
}
