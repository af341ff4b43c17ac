import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A page that somebody has written: not one of the API reference. */
export interface DocsPage {
  /** Its file in `docs/`, e.g. `guides/groups.md`. */
  readonly file: string;
  /** Its first heading. */
  readonly title: string;
  /** What the start page calls it, which is shorter than a question; else its title. */
  readonly name: string;
  /** Its text in Markdown. */
  readonly markdown: string;
}

/** Pages of one folder. */
export interface DocsSection {
  readonly title: string;
  readonly pages: readonly DocsPage[];
}

const docs = fileURLToPath(new URL('..', import.meta.url));

/** The folders, in the order of the sidebar. A folder without a title here comes behind the others, under its own name. */
const TITLES: Readonly<Record<string, string>> = {
  guides: 'Guides',
  migrating: 'Migrating',
  '': 'Reference',
};
/** What is no page of ours. */
const LEFT_OUT = new Set(['api', 'public', 'node_modules', '.vitepress']);

/** The start page is in no section. */
const START = 'index.md';

/** All pages, folder by folder; in a folder, in the order of the start page's lists, which come behind its questions. */
export function docsSections(): DocsSection[] {
  const folders = readdirSync(docs, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !LEFT_OUT.has(entry.name))
    .map(({ name }) => name);
  const names = [...new Set([...Object.keys(TITLES), ...folders])];
  return names
    .map((name) => ({ title: TITLES[name] ?? name, pages: pagesIn(name) }))
    .filter(({ pages }) => pages.length > 0);
}

function pagesIn(folder: string): DocsPage[] {
  const prefix = folder && `${folder}/`;
  const links = startPageLinks();
  const order = [...links.keys()];
  const rank = ({ file }: DocsPage): number => (links.has(file) ? order.indexOf(file) : order.length);
  return filesIn(`${docs}${prefix}`)
    .map((name) => `${prefix}${name}`)
    .filter((file) => file !== START)
    .map((file) => readPage(file, links))
    .toSorted((a, b) => rank(a) - rank(b));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.md'));
  } catch {
    return [];
  }
}

function readPage(file: string, links: ReadonlyMap<string, string>): DocsPage {
  const markdown = readFileSync(`${docs}${file}`, 'utf8');
  const title = /^# (?<title>.+)$/mu.exec(markdown)?.groups?.['title'];
  if (title === undefined)
    throw new Error(`docs/${file} has no heading "# …", which its place in the sidebar is named by.`);
  const name = links.get(file) ?? title;
  return { file, title, name: name[0]!.toUpperCase() + name.slice(1), markdown };
}

/** The last link of the start page to each file, in their order: what it is called there. */
function startPageLinks(): Map<string, string> {
  const links = new Map<string, string>();
  const text = readFileSync(`${docs}${START}`, 'utf8');
  for (const { groups } of text.matchAll(/\[(?<name>[^\]]+)\]\((?<file>[^)#]+\.md)/gu)) {
    const file = groups!['file']!;
    links.delete(file);
    links.set(file, groups!['name']!);
  }
  return links;
}
