/** The playground: `?recipe=groups` chooses as the form does, and `&start` runs it. */
import { chooseByAddress, keepInAddress, setControl } from '../site/address.js';
import { element, setText } from '../site/elements.js';
import { showProblem } from '../site/problem.js';
import { requestAdapter } from '../site/webgpu.js';
import { Editor } from './editor.js';
import { recipesOf } from './recipes.js';
import type { Report } from './reports.js';
import { Runner } from './runner.js';
import './style.css';

/** The guide that one begins with. */
const FIRST = 'first-run';

const recipes = recipesOf(
  import.meta.glob<string>('../../docs/guides/*.md', { query: '?raw', import: 'default', eager: true }),
);
const form = element('controls', HTMLFormElement);
const select = element('recipe', HTMLSelectElement);
const output = element('output', HTMLOListElement);
const startButton = element('start', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const guide = element('guide', HTMLAnchorElement);
const runner = new Runner(take);
const editor = new Editor(element('editor', HTMLDivElement), () => form.requestSubmit());

select.append(...recipes.map(({ name, title }) => new Option(title, name)));
const address = chooseByAddress((wanted) => setControl(select, wanted, FIRST));
showRecipe();
keepInAddress(form, () => ({ recipe: select.value }));
select.addEventListener('change', showRecipe);
element('reset', HTMLButtonElement).addEventListener('click', showRecipe);
form.addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
stopButton.addEventListener('click', () => end('Stopped.'));
try {
  await requestAdapter();
  startButton.disabled = false;
  if (address.has('start')) form.requestSubmit();
} catch (error) {
  setText('status', 'Nothing can be run here.');
  showProblem(error);
}

/** The recipe as it is in the docs. */
function showRecipe(): void {
  const { code = '', name = '' } = recipes.find((recipe) => recipe.name === select.value) ?? {};
  editor.text = code;
  guide.href = `../docs/guides/${name}.html`;
  output.replaceChildren();
  end('Ready.');
}

function start(): void {
  output.replaceChildren();
  setRunning(true);
  setText('status', 'Running …');
  runner.start(editor.text);
}

function take(report: Report): void {
  if (report.kind === 'done') {
    end('Done.');
    return;
  }
  const isError = report.kind === 'failed' || report.isError === true;
  const item = document.createElement('li');
  item.textContent = `${report.line === undefined ? '' : `line ${report.line}: `}${report.text}`;
  item.classList.toggle('wrong', isError);
  output.append(item);
  item.scrollIntoView({ block: 'nearest' });
  if (report.kind === 'failed') end('It failed.');
}

function end(status: string): void {
  runner.stop();
  setText('status', status);
  setRunning(false);
}

function setRunning(isRunning: boolean): void {
  stopButton.disabled = !isRunning;
}
