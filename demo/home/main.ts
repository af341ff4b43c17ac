/** The start page: a small race, and whether the other pages will work here. `?live` has it raced by a CPU, too. */
import { element, setText } from '../site/elements.js';
import { showProblem } from '../site/problem.js';
import { describeAdapter, isSoftware, requestAdapter } from '../site/webgpu.js';

/** Who has come for another page is gone by then. */
const PATIENCE_MS = 500;
const PARTICLES = 2048;
const STEPS = 600;

const canvas = element('live', HTMLCanvasElement);
const still = element('still', HTMLImageElement);
const wantsLessMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;

try {
  const { info } = await requestAdapter();
  setText('adapter', `Your GPU, as WebGPU names it: ${describeAdapter(info)}.`);
  const isWanted = new URLSearchParams(location.search).has('live');
  // A program on the CPU would take all of it.
  if (isWanted || !(wantsLessMotion || isSoftware(info))) {
    await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
    await race();
  }
} catch (error) {
  showStill();
  setText('adapter', '');
  showProblem(error);
}

function showStill(): void {
  canvas.hidden = true;
  still.hidden = false;
  setText('what', 'Recorded: ');
}

/** Runs once, and then shows where all have come to. */
async function race(): Promise<void> {
  const [{ RaceStage }, { mapColours }, { surfaces }, { defaultRacers }, { onThemeChange }] =
    await Promise.all([
      import('../race/page/race-stage.js'),
      import('../race/page/colours.js'),
      import('../race/surfaces/registry.js'),
      import('../race/suggestions.js'),
      import('../site/theme.js'),
    ]);
  const surface = surfaces.find(({ name }) => name === 'himmelblau')!;
  canvas.hidden = false;
  still.hidden = true;
  const stage = await RaceStage.open(canvas, mapColours(), true, {
    reached: () => Promise.resolve(),
    ended: () => canvas.toggleAttribute('data-ended', true),
    read: () => Promise.resolve(),
    drawn: () => undefined,
    // The page is of use without it.
    failed: showStill,
  });
  stage.driver.speed = 1;
  stage.driver.isVisible = [true, true, true, true];
  onThemeChange(() => stage.setColours(mapColours()));
  const setup = {
    surface,
    racers: defaultRacers(surface),
    start: 'cloud',
    particles: PARTICLES,
    seed: 1,
  } as const;
  if ((await stage.load(setup, [STEPS])) === undefined) return;
  setText('what', 'Now, on your GPU: ');
  stage.driver.play();
}
