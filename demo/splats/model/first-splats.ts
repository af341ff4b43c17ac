import { createRandom } from '../../../lab/random.js';
import { SPLAT_BYTES, type SplatPlan } from './plan.js';

/** Floats from one splat to the next, and where its parts begin, as shaders/splat.wgsl has them. */
const LENGTH = SPLAT_BYTES / 4;

/**
 * Splats at random places, round, in the colours that the photograph has there, as trainers begin from a cloud of points: side by
 * side they are a blurred photograph, about.
 */
export function firstSplats(
  { shape, startCount, deviations }: SplatPlan,
  photo: Uint32Array,
  seed: number,
): Float32Array<ArrayBuffer> {
  const { width, height } = shape;
  const random = createRandom(seed);
  const splats = new Float32Array(LENGTH * startCount);
  // What round splats, spread evenly and of opacity ½, add up to at a pixel.
  const overlap = (0.5 * 2 * Math.PI * deviations.start ** 2 * startCount) / (width * height);
  for (let k = 0; k < startCount; k++) {
    const [x, y] = [random() * width, random() * height];
    const word = photo[Math.floor(y) * width + Math.floor(x)]!;
    const colour = [0, 8, 16].map((shift) => ((word >>> shift) & 255) / 255 / overlap);
    const scale = Math.log(deviations.start);
    const angle = 2 * Math.PI * random();
    splats.set([x, y, scale, scale, Math.cos(angle), Math.sin(angle), 0, 0, ...colour, 0], LENGTH * k);
  }
  return splats;
}
