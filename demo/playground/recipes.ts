import { programIn } from '../../lab/page-blocks.js';

/** A guide whose code runs as it is, on a device and nothing else. */
export interface Recipe {
  /** The last part of the page's address in the docs, and of its own here. */
  readonly name: string;
  /** The question that the guide answers. */
  readonly title: string;
  /** Its program. */
  readonly code: string;
}

/** Where programs get their device from; guides are given one. */
const DEVICE = `const adapter = await navigator.gpu.requestAdapter();
const device = await adapter.requestDevice();`;

/** What the playground does not have: other packages, and other files. */
const ELSEWHERE = /from '(?!webgpu-optim')|new Worker\(/u;

/**
 * The recipes of guides, in their order.
 *
 * @param pages the text of each page, by its path.
 */
export function recipesOf(pages: Readonly<Record<string, string>>): Recipe[] {
  return Object.entries(pages).flatMap(([path, markdown]): Recipe[] => {
    const { blocks, given } = programIn(markdown);
    const codes = blocks.map(({ code }) => code);
    if (codes.length === 0 || given.length > 0 || codes.some((code) => ELSEWHERE.test(code))) return [];
    const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.md$/u, '');
    const title = /^# (?<title>.+)$/mu.exec(markdown)?.groups?.['title'] ?? '';
    return [{ name, title, code: join(codes) }];
  });
}

/** One program of all blocks: the imports, the device, then block by block. */
function join(blocks: readonly string[]): string {
  const names = new Set<string>();
  const bodies = blocks.map((block) =>
    block
      .replaceAll(/^import \{(?<list>[^}]*)\} from 'webgpu-optim';\n/gmu, (_, list: string) => {
        for (const name of list.split(',')) if (name.trim() !== '') names.add(name.trim());
        return '';
      })
      .trim(),
  );
  const imports = `import { ${[...names].toSorted().join(', ')} } from 'webgpu-optim';`;
  const device = blocks.some((block) => /\bdevice = await/u.test(block)) ? [] : [DEVICE];
  return `${[imports, ...device, ...bodies.filter(Boolean)].join('\n\n')}\n`;
}
