/** Data of the shapes that programs load from elsewhere: drawn by a seed, with something to learn in it. */
import { crc32, deflateSync, gzipSync } from 'node:zlib';
import { type RandomSource, createRandom } from '../../lab/random.js';

export interface Answer {
  readonly type: string;
  readonly body: string | Buffer;
}

const PIXELS = 784;
const CLASSES = 10;
const SPRITE_ROWS = 260;
const IDX_ROWS = 64;

const csv = (
  names: readonly string[],
  rowCount: number,
  rowOf: (k: number) => readonly unknown[],
): Answer => ({
  type: 'text/csv',
  body: [names, ...Array.from({ length: rowCount }, (_, k) => rowOf(k))]
    .map((row) => row.join(','))
    .join('\n'),
});

const columns = (count: number): string[] => Array.from({ length: count }, (_, k) => `c${k + 10}`);

/** A picture of a class: bright where its stripe is. */
const pixelOf = (random: RandomSource, label: number, k: number): number =>
  Math.floor(255 * random() * (Math.floor(k / 79) === label ? 1 : 0.3));

const pictures = (random: RandomSource, count: number): Buffer =>
  Buffer.from(
    Array.from({ length: count * PIXELS }, (_, k) =>
      pixelOf(random, Math.floor(k / PIXELS) % CLASSES, k % PIXELS),
    ),
  );

/** A PNG of one channel, a picture in each row. */
function png(width: number, height: number, pixels: Buffer): Buffer {
  const part = (type: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits, of grey.
  header[8] = 8;
  const rows = Array.from({ length: height }, (_, k) =>
    Buffer.concat([Buffer.of(0), pixels.subarray(k * width, (k + 1) * width)]),
  );
  const signature = Buffer.from([0x89, ...Buffer.from('PNG\r\n'), 0x1a, 0x0a]);
  const body = part('IDAT', deflateSync(Buffer.concat(rows)));
  return Buffer.concat([signature, part('IHDR', header), body, part('IEND', Buffer.alloc(0))]);
}

function idx(magic: number, sizes: readonly number[], data: Buffer): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  [magic, ...sizes].forEach((value, k) => header.writeUInt32BE(value, 4 * k));
  return Buffer.concat([header, data]);
}

const idxPictures = (random: RandomSource): Buffer =>
  idx(2051, [IDX_ROWS, 28, 28], pictures(random, IDX_ROWS));
const idxLabels = (): Buffer =>
  idx(2049, [IDX_ROWS], Buffer.from(Array.from({ length: IDX_ROWS }, (_, k) => labelOf(k))));
const binary = (body: Buffer): Answer => ({ type: 'application/octet-stream', body });
const labelOf = (k: number): number => k % CLASSES;

const JENA =
  '"Date Time","p (mbar)","T (degC)","Tpot (K)","Tdew (degC)","rh (%)","VPmax (mbar)","VPact (mbar)","VPdef (mbar)","sh (g/kg)",' +
  '"H2OC (mmol/mol)","rho (g/m**3)","wv (m/s)","max. wv (m/s)","wd (deg)"';

function jena(random: RandomSource): Answer {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return csv(JENA.split(','), 3200, (k) => {
    const day = k / 144;
    const time = `${two(1 + (day % 28))}.${two(1 + day / 28)}.2009 ${two((k % 144) / 6)}:${two(10 * (k % 6))}:00`;
    return [time, ...Array.from({ length: 14 }, (_, c) => (Math.sin(k / (20 + c)) + random()).toFixed(3))];
  });
}

const WORDS = 'the of and a to in he was that it his is with as had on for at by not she be which'.split(' ');

const transferPictures = (random: RandomSource, count: number): string =>
  JSON.stringify(
    Array.from({ length: count }, (_, n) => ({
      x: Array.from({ length: 28 }, (_row, r) =>
        Array.from({ length: 28 }, (_pixel, c) => pixelOf(random, 5 + (n % 5), 28 * r + c)),
      ),
      y: n % 5,
    })),
  );

function reviews(random: RandomSource): Buffer {
  const words = Array.from({ length: 60 }, (_, n) => [
    1,
    ...Array.from(
      { length: 10 + Math.floor(20 * random()) },
      () => 4 + 2 * Math.floor(90 * random()) + (n % 2),
    ),
  ]).flat();
  return Buffer.from(Int32Array.from(words).buffer);
}

const PITCHES = 'vx0,vy0,vz0,ax,ay,az,start_speed,left_handed_pitcher,pitch_code'.split(',');

/** By how an address ends. */
const ANSWERS: readonly (readonly [RegExp, (random: RandomSource) => Answer])[] = [
  // Boston: 12 numbers of a house, and its price.
  [/multivariate.*-data\.csv$/, (random) => csv(columns(12), 120, () => columns(12).map(() => random()))],
  [/multivariate.*-target\.csv$/, (random) => csv(['medv'], 120, () => [10 + 30 * random()])],
  // Of addresses, 30 properties of −1, 0 or 1, and whether they deceive.
  [
    /(train|test)-data\.csv$/,
    (random) => csv(columns(30), 120, () => columns(30).map(() => Math.floor(3 * random()) - 1)),
  ],
  [/(train|test)-target\.csv$/, (random) => csv(['result'], 120, () => [random() < 0.5 ? 0 : 1])],
  [/jena_climate.*\.csv$/, jena],
  [
    /mnist_images\.png$/,
    (random) => ({ type: 'image/png', body: png(PIXELS, SPRITE_ROWS, pictures(random, SPRITE_ROWS)) }),
  ],
  [
    /mnist_labels_uint8$/,
    () =>
      binary(
        Buffer.from(
          Array.from({ length: SPRITE_ROWS * CLASSES }, (_, k) =>
            Number(labelOf(Math.floor(k / CLASSES)) === k % CLASSES),
          ),
        ),
      ),
  ],
  [/images-idx3-ubyte$/, (random) => binary(idxPictures(random))],
  [/images-idx3-ubyte\.gz$/, (random) => binary(gzipSync(idxPictures(random)))],
  [/labels-idx1-ubyte$/, () => binary(idxLabels())],
  [/labels-idx1-ubyte\.gz$/, () => binary(gzipSync(idxLabels()))],
  [
    /gte5\.(train|test)\.json$/,
    (random) => ({ type: 'application/json', body: transferPictures(random, 60) }),
  ],
  [
    /\.txt$/,
    (random) => ({
      type: 'text/plain',
      body: Array.from({ length: 1500 }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' '),
    }),
  ],
  [
    /pitch_type.*\.csv$/,
    (random) =>
      csv(PITCHES, 420, (k) => [
        ...[-3, -130, -5, -10, 25, -20, 90].map((middle) => middle + random() + (k % 7) / 4),
        k % 2,
        k % 7,
      ]),
  ],
  [/imdb_\w+_data\.bin$/, (random) => binary(reviews(random))],
  [/imdb_\w+_targets\.bin$/, () => binary(Buffer.from(Array.from({ length: 60 }, (_, k) => k % 2)))],
];

/** What stands in for what is at an address; undefined if nothing does. */
export function standIn(url: string): Answer | undefined {
  return ANSWERS.find(([pattern]) => pattern.test(url))?.[1](createRandom(1));
}
