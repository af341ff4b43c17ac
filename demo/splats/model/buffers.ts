import { GRADIENT_BYTES } from './fields.js';
import { SPLAT_BYTES, type SplatPlan } from './plan.js';

/** What has a place per splat, for as many as there is room for. */
export interface SplatBuffers {
  /** Splats that there is room for. */
  readonly room: number;
  readonly splats: GPUBuffer;
  readonly gradients: GPUBuffer;
  readonly shapes: GPUBuffer;
  readonly strains: GPUBuffer;
  /** The tiles' lists. */
  readonly entries: GPUBuffer;
  readonly keys: GPUBuffer;
  readonly fates: GPUBuffer;
  readonly keptRanks: GPUBuffer;
  readonly splitRanks: GPUBuffer;
  readonly rowMap: GPUBuffer;
  readonly partners: GPUBuffer;
}

/** What does not grow. */
export interface PictureBuffers {
  /** The struct `Frame` of shaders/splat.wgsl. */
  readonly frame: GPUBuffer;
  readonly photo: GPUBuffer;
  readonly picture: GPUBuffer;
  readonly derivatives: GPUBuffer;
  readonly tileEnds: GPUBuffer;
  readonly errors: GPUBuffer;
  readonly tileErrors: GPUBuffer;
  /** Of each step. */
  readonly losses: GPUBuffer;
  /** Of a selection: what is known, and how many have a digit. */
  readonly selection: GPUBuffer;
  readonly histogram: GPUBuffer;
}

type Create = (what: string, size: number, usage?: number) => GPUBuffer;

/** `made` gets each buffer at once, so that the caller can free them if a later one fails. */
function creator(device: GPUDevice, made: GPUBuffer[]): Create {
  return (what, size, usage = GPUBufferUsage.STORAGE) => {
    const buffer = device.createBuffer({ label: `splats ${what}`, size, usage });
    made.push(buffer);
    return buffer;
  };
}

/** Creates what has a place per splat. */
export function createSplatBuffers(
  device: GPUDevice,
  { tilesPerSplat }: SplatPlan,
  room: number,
  made: GPUBuffer[],
): SplatBuffers {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const create = creator(device, made);
  const all = STORAGE | COPY_SRC | COPY_DST;
  const words = (what: string): GPUBuffer => create(what, 4 * room, all);
  return {
    room,
    splats: create('structs', SPLAT_BYTES * room, all),
    gradients: create('gradients', GRADIENT_BYTES * room, all),
    shapes: create('shapes', SPLAT_BYTES * room, all),
    strains: words('strains'),
    entries: create('entries', 4 * tilesPerSplat * room, all),
    keys: words('keys'),
    fates: words('fates'),
    keptRanks: words('kept ranks'),
    splitRanks: words('split ranks'),
    rowMap: words('row map'),
    partners: words('partners'),
  };
}

/** Creates what does not grow. */
export function createPictureBuffers(
  device: GPUDevice,
  { shape, tiles }: SplatPlan,
  made: GPUBuffer[],
): PictureBuffers {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const create = creator(device, made);
  const pixels = shape.width * shape.height;
  const tileCount = tiles[0] * tiles[1];
  return {
    frame: create('frame', 24, UNIFORM | COPY_DST),
    photo: create('photo', 4 * pixels, STORAGE | COPY_DST),
    picture: create('picture', 4 * pixels, STORAGE | COPY_SRC),
    derivatives: create('derivatives', 16 * pixels),
    tileEnds: create('tile ends', 4 * tileCount, STORAGE | COPY_DST),
    // Of four pixels each, whole tiles of them.
    errors: create('errors', 256 * tileCount),
    tileErrors: create('tile errors', 4 * tileCount),
    losses: create('losses', 4 * (shape.steps + 1), STORAGE | COPY_SRC),
    selection: create('selection', 12, STORAGE | COPY_DST),
    histogram: create('histogram', 1024, STORAGE | COPY_DST),
  };
}
