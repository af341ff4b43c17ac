import { createRandom } from '../../lab/random.js';
import type { RacerSpec } from './racer-spec.js';
import type { Surface } from './surfaces/surface.js';

/** Where the particles start: all over a part of the map, at one point, or on an ellipse round the middle of that part. */
export const startShapes = ['cloud', 'point', 'ring'] as const;
export type StartShape = (typeof startShapes)[number];

/** A race, as plain data: the same setup gives the same race. */
export interface RaceSetup {
  readonly surface: Surface;
  readonly racers: readonly RacerSpec[];
  readonly start: StartShape;
  /** Particles per racer. */
  readonly particles: number;
  /** Of the cloud, 0 to 2³² − 1. */
  readonly seed: number;
}

/** The most racers at once: there are that many colours that can be told apart. */
export const MAX_RACERS = 6;
/** The most particles per racer. */
export const MAX_PARTICLES = 16_384;

/** The positions at which all racers of a setup start: x and y of a particle side by side. */
export function startPositions({
  surface: { cloud, point },
  start,
  particles,
  seed,
}: Omit<RaceSetup, 'racers'>): Float32Array<ArrayBuffer> {
  const random = createRandom(seed);
  const between = ([min, max]: readonly [number, number], part: number): number => min + (max - min) * part;
  const place = (k: number): readonly [number, number] => {
    if (start === 'point') return point;
    if (start === 'cloud') return [between(cloud.x, random()), between(cloud.y, random())];
    const angle = (2 * Math.PI * k) / particles;
    return [between(cloud.x, 0.5 + 0.5 * Math.cos(angle)), between(cloud.y, 0.5 + 0.5 * Math.sin(angle))];
  };
  return Float32Array.from(Array.from({ length: particles }, (_, k) => place(k)).flat());
}
