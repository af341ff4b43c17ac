import type { Results } from '../../lab/measuring/rows.js';
import { download } from '../site/download.js';
import { element, setText } from '../site/elements.js';
import { fillTable } from '../site/table.js';
import { formatCard, formatFraction, formatMs, formatRate, timesOurs, titleOf } from './format.js';

const HEADINGS = [
  'rule',
  'elements',
  'who',
  'median ms',
  'min ms',
  'elements/s',
  'GB/s',
  'of limit',
  '× ours',
];

/** The table, and the card to copy. */
export class ResultPanel {
  private results: Results | undefined;

  constructor() {
    const onClick = (id: string, action: (results: Results) => void): void =>
      element(id, HTMLButtonElement).addEventListener('click', () => this.results && action(this.results));
    onClick('copy-text', (results) => void copy('text', formatCard(results)));
    onClick('copy-json', (results) => void copy('JSON', toJson(results)));
    onClick('download', (results) =>
      download(`webgpu-optim-${results.date.slice(0, 10)}.json`, 'application/json', toJson(results)),
    );
  }

  show(results: Results): void {
    this.results = results;
    const { rows } = results;
    fillTable(
      element('table', HTMLTableElement),
      HEADINGS,
      rows.map((row) => [
        row.rule,
        row.case,
        titleOf(row),
        formatMs(row.medianMs),
        formatMs(row.minMs),
        formatRate(row.elementsPerSecond),
        row.gbPerSecond.toPrecision(3),
        formatFraction(row),
        timesOurs(row, rows).toPrecision(3),
      ]),
    );
    setText('card', formatCard(results));
    setText('copied', '');
    element('result', HTMLElement).hidden = rows.length === 0;
  }
}

/** The same object as `npm run bench -- --json` prints. */
const toJson = (results: Results): string => JSON.stringify(results, undefined, 2);

async function copy(what: string, text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    setText('copied', `The result is on the clipboard, as ${what}.`);
  } catch {
    setText('copied', 'This browser does not let the page write to the clipboard: select the text above.');
  }
}
