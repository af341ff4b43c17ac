import type { RuleName } from '../../src/index.js';
import { element, setText } from '../site/elements.js';
import { hideProblem, showProblem } from '../site/problem.js';
import { onThemeChange } from '../site/theme.js';
import { WebGpuUnavailableError } from '../site/webgpu.js';
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
let opening: Promise<RaceStage> | undefined;
/** Per racer, whether it is drawn. */
let isVisible: readonly boolean[] = [];

const marks = new Marks();
const panel = new StoryPanel((story) => beginAnew(storyState(story), true));
const transport = new Transport({
  toggle,
  step: () => {
    if (stage?.race) void stage.driver.stepOnce().then(showRunning);
    else beginAnew(state, false);
  },
  restart: () => beginAnew(state, true),
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
  setVisible: (chosen) => {
    isVisible = chosen;
    if (!stage) return;
    stage.driver.isVisible = isVisible;
    stage.driver.redraw();
  },
});

new ResizeObserver(() => stage?.driver.redraw()).observe(element('map', HTMLElement));
onThemeChange(() => {
  stage?.setColours(mapColours());
  panel.recolour();
});
await begin(state, !wantsLessMotion);

/** The stage; another one after a failure. */
async function openStage(): Promise<RaceStage> {
  if (stage) return stage;
  opening ??= RaceStage.open(element('map', HTMLCanvasElement), mapColours(), !wantsLessMotion, {
    reached: takeSnapshot,
    ended: conclude,
    read: showStandings,
    drawn: ({ setup, step }) => {
      setText('step-count', `Step ${step.toLocaleString('en')}`);
      marks.show(setup.surface, step);
    },
    failed: (error) => void failed(error),
  }).finally(() => (opening = undefined));
  stage = await opening;
  stage.driver.isVisible = isVisible;
  setText('adapter', stage.adapterName);
  return stage;
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
  transport.show(state);
  panel.begin(story);
  racers.show(setup.racers, story?.racerNames);
  element('notice', HTMLElement).hidden = true;
  element('caption', HTMLElement).hidden = story === undefined;
  setText('summary', setup.surface.summary);
  setText('status', 'Preparing …');
  let opened: RaceStage | undefined;
  try {
    const stops = story ? story.checkpoints.filter((step) => step > 0) : stop > 0 ? [stop] : [];
    opened = await openStage();
    const race = await opened.load(setup, stops);
    if (!race) return;
    writeState();
    if (story) await takeSnapshot(race);
    if (stage?.race !== race) return;
    transport.setEnabled(true);
    opened.driver.speed = speed;
    if (runs) opened.driver.play();
    showRunning();
  } catch (error) {
    // A stage that gave way to another may fail as it likes.
    if (stage === opened) await failed(error);
  }
}

/** As {@link begin}, after whatever went wrong before. */
function beginAnew(next: RaceState, runs: boolean): void {
  hideProblem();
  void begin(next, runs);
}

/** A race with other settings; it is no story any more. */
function beginFreely(changes: Partial<RaceSetup>, stop = state.stop): void {
  const { story: _, ...rest } = state;
  beginAnew({ ...rest, setup: { ...state.setup, ...changes }, stop }, stage?.driver.isRunning ?? false);
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
  stage?.change(index, spec).catch((cause: unknown) => failed(cause));
}

function toggle(): void {
  const race = stage?.race;
  if (!stage || !race || (state.stop > 0 && race.step >= state.stop)) {
    beginAnew(state, true);
    return;
  }
  if (stage.driver.isRunning) stage.driver.pause();
  else stage.driver.play();
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

/** Ends the race and says why; the next one gets a stage of its own, for this one's device may be lost. */
async function failed(error: unknown): Promise<void> {
  const broken = stage;
  broken?.driver.release();
  const cause = (await broken?.causeOf(error)) ?? error;
  // Who waited longer for the cause finds it told.
  if (broken !== stage) return;
  broken?.close();
  stage = undefined;
  if (cause instanceof WebGpuUnavailableError) {
    for (const id of ['claims', 'stage', 'story']) element(id, HTMLElement).hidden = true;
  }
  transport.setEnabled(true);
  transport.showRunning(false);
  setText('status', 'The race is off.');
  showProblem(cause);
}

function writeState(): void {
  history.replaceState(null, '', writeAddress(state));
}
