import type { RuleName } from '../../src/index.js';
import { element, setText } from '../site/elements.js';
import { hideProblem, showProblem } from '../site/problem.js';
import { onThemeChange } from '../site/theme.js';
import type { Race } from './gpu/race.js';
import { type RaceState, readAddress, storyState, writeAddress } from './page/address.js';
import { mapColours } from './page/colours.js';
import { Marks } from './page/marks.js';
import { RaceStage } from './page/race-stage.js';
import { RacerList } from './page/racer-list.js';
import { StoryPanel } from './page/story-panel.js';
import { Transport } from './page/transport.js';
import { type RacerSpec, ruleNames, ruleOf } from './racer-spec.js';
import type { RaceSetup } from './setup.js';
import { standingOf } from './standing.js';
import type { Snapshot } from './stories/story.js';
import { suggestRacer } from './suggestions.js';

const wantsLessMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;

let state = readAddressOrBegin();
let snapshots: Snapshot[] = [];
let stage: RaceStage | undefined;

const marks = new Marks();
const panel = new StoryPanel((story) => void begin(storyState(story), true));
const transport = new Transport({
  toggle,
  step: () => void stage?.driver.stepOnce().then(showRunning),
  restart: () => void begin(state, true),
  setSpeed: (speed) => {
    state = { ...state, speed };
    if (stage) stage.driver.speed = speed;
    writeState();
  },
  change: ({ surface = state.setup.surface, stop = state.stop, ...changes }) => {
    const racers =
      surface === state.setup.surface
        ? state.setup.racers
        : state.setup.racers.map(({ rule, options }) => suggestRacer(rule, surface, options));
    beginFreely({ ...changes, surface, racers }, stop);
  },
});
const racers = new RacerList({
  add: () => {
    const racing = state.setup.racers.map(({ rule }) => rule);
    const rule = ruleNames.find((name) => !racing.includes(name)) ?? 'adam';
    beginFreely({ racers: [...state.setup.racers, suggestRacer(rule, state.setup.surface)] });
  },
  remove: (index) => beginFreely({ racers: state.setup.racers.filter((_, k) => k !== index) }),
  changeRule: (index, rule: RuleName) => changeRacer(index, suggestRacer(rule, state.setup.surface), true),
  changeOptions: (index, spec) => changeRacer(index, spec, false),
  setVisible: (isVisible) => {
    if (!stage) return;
    stage.driver.isVisible = isVisible;
    stage.driver.redraw();
  },
});

try {
  stage = await RaceStage.open(element('map', HTMLCanvasElement), mapColours(), !wantsLessMotion, {
    reached: takeSnapshot,
    ended: conclude,
    read: showStandings,
    drawn: ({ setup, step }) => {
      setText('step-count', `Step ${step.toLocaleString('en')}`);
      marks.show(setup.surface, step);
    },
    failed,
  });
  setText('adapter', stage.adapterName);
  new ResizeObserver(() => stage?.driver.redraw()).observe(element('map', HTMLElement));
  onThemeChange(() => {
    stage?.setColours(mapColours());
    panel.recolour();
  });
  // Nothing is freed when the page is left, the browser does that: after a reload Firefox shows no frame of a tab
  // whose device was destroyed while its canvas was on show.
  await begin(state, !wantsLessMotion);
} catch (error) {
  for (const id of ['claims', 'stage', 'story']) element(id, HTMLElement).hidden = true;
  failed(error);
}

/** A wrong address is said, and the page begins as without one. */
function readAddressOrBegin(): RaceState {
  try {
    return readAddress(location.search);
  } catch (error) {
    showProblem(error);
    return readAddress('');
  }
}

/** Sets the race of a state up, in place of the one that is on. */
async function begin(next: RaceState, runs: boolean): Promise<void> {
  state = next;
  snapshots = [];
  const { setup, story, stop, speed } = state;
  writeState();
  transport.show(state);
  panel.begin(story);
  racers.show(setup.racers, story?.racerNames);
  element('notice', HTMLElement).hidden = true;
  element('caption', HTMLElement).hidden = story === undefined;
  setText('summary', setup.surface.summary);
  setText('status', 'Preparing …');
  if (!stage) return;
  try {
    const stops = story ? story.checkpoints.filter((step) => step > 0) : stop > 0 ? [stop] : [];
    const race = await stage.load(setup, stops);
    if (!race) return;
    if (story) await takeSnapshot(race);
    if (stage.race !== race) return;
    transport.setEnabled(true);
    stage.driver.speed = speed;
    if (runs) stage.driver.play();
    showRunning();
  } catch (error) {
    failed(error);
  }
}

/** A race with other settings; it is no story any more. */
function beginFreely(changes: Partial<RaceSetup>, stop = state.stop): void {
  const { story: _, ...rest } = state;
  hideProblem();
  void begin({ ...rest, setup: { ...state.setup, ...changes }, stop }, stage?.driver.isRunning ?? false);
}

function changeRacer(index: number, spec: RacerSpec, isOtherRule: boolean): void {
  const notice = element('notice', HTMLElement);
  try {
    ruleOf(spec);
    notice.hidden = true;
  } catch (error) {
    notice.textContent = error instanceof Error ? error.message : String(error);
    notice.hidden = false;
    return;
  }
  const changed = state.setup.racers.with(index, spec);
  if (state.story) {
    beginFreely({ racers: changed });
    return;
  }
  state = { ...state, setup: { ...state.setup, racers: changed } };
  writeState();
  if (isOtherRule) racers.show(changed);
  stage?.change(index, spec).catch(failed);
}

function toggle(): void {
  if (!stage) return;
  const { driver, race } = stage;
  if (driver.isRunning) driver.pause();
  else if (race && state.stop > 0 && race.step >= state.stop) void begin(state, true);
  else driver.play();
  showRunning();
}

function showRunning(): void {
  const isRunning = stage?.driver.isRunning ?? false;
  transport.showRunning(isRunning);
  setText('status', isRunning ? 'Running.' : 'Paused.');
}

/** Reads back what the story asks for. */
async function takeSnapshot(race: Race): Promise<void> {
  const { story } = state;
  if (!story) return;
  const [positions, states] = await Promise.all([
    race.read(),
    Promise.all(story.slots.map(async (slot, k) => slot && (await race.racers[k]?.readState(slot)))),
  ]);
  if (stage?.race !== race) return;
  const all = positions.map((each, k) => {
    const slot = states[k];
    return slot instanceof Float32Array ? { positions: each, state: slot } : { positions: each };
  });
  const snapshot = { step: race.step, racers: all };
  snapshots.push(snapshot);
  panel.add(snapshot);
}

function conclude(race: Race): void {
  if (state.story) panel.conclude(state.story.judge(snapshots));
  transport.showRunning(false);
  setText('status', `Done after ${race.step.toLocaleString('en')} steps.`);
}

async function showStandings(race: Race): Promise<void> {
  const { step } = race;
  const positions = await race.read();
  if (stage?.race !== race) return;
  racers.showStandings(positions.map((each) => standingOf(race.setup.surface, each, step)));
}

function failed(error: unknown): void {
  stage?.driver.release();
  transport.setEnabled(false);
  setText('status', 'The race is off.');
  showProblem(error);
}

function writeState(): void {
  history.replaceState(null, '', writeAddress(state));
}
