import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VitePlugin } from './vite-plugin.js';

/** Where the docs say under which licences the code of others is that they ship. */
const FILE = 'licences-docs.md';

/** Notes which packages the scripts of the site are made of; `write` says under which licences. */
export class Licences {
  readonly #folders = new Map<string, string>();

  readonly plugin = {
    name: 'webgpu-optim:licences',
    apply: (_config: unknown, { isSsrBuild }: { isSsrBuild?: boolean }) => !isSsrBuild,
    generateBundle: (_options: unknown, bundle: Record<string, { modules?: Record<string, object> }>) => {
      for (const { modules = {} } of Object.values(bundle)) {
        for (const id of Object.keys(modules)) this.#note(id);
      }
    },
  } as VitePlugin;

  write(outDir: string): void {
    const names = [...this.#folders.keys()].toSorted((a, b) => a.localeCompare(b, 'en'));
    const sections = names.map((name) => section(this.#folders.get(name)!));
    writeFileSync(join(outDir, FILE), `# Licences of the code that the docs ship\n\n${sections.join('\n')}`);
  }

  #note(id: string): void {
    const found = /^\0?(?<folder>.*\/node_modules\/(?<name>(?:@[^/]+\/)?[^/]+))\//u.exec(id)?.groups;
    if (found) this.#folders.set(found['name']!, found['folder']!);
  }
}

function section(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<
    string,
    string
  >;
  const texts = readdirSync(folder)
    .filter((file) => /^(?:licen[cs]e|notice)/iu.test(file))
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll(/^/gmu, '    '));
  return `## ${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
}
