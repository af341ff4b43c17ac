import { slipsIn } from './slip.js';

const layout = ['unit/arena', 'gpu/arena'];
const values = ['gpu/initial-weights', 'gpu/arena'];

export const arenaSlips = [
  ...slipsIn('src/arena/layout.ts', layout, [
    ['last < 0 ? 0 : alignUp(elementCounts[last]!, alignment)', 'last < 0 ? 0 : elementCounts[last]!'],
    ['element + elementCount <= capacity', 'element + elementCount < capacity'],
    ['elementCounts[last] = element + elementCount;', 'elementCounts[last] = elementCount;'],
    ['bufferIndex: last + 1', 'bufferIndex: last'],
    ['tensors.filter((tensor) => tensor.group === group)', 'tensors'],
    ['elementCounts.map((elementCount) => alignUp(elementCount, LANE))', 'elementCounts'],
  ]),
  ...slipsIn(
    'src/arena/spec.ts',
    ['unit/arena', 'gpu/arena', 'gpu/bad-input'],
    [
      ['Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize)', 'limits.maxBufferSize'],
      ['alignDown(capacity, VECTOR)', 'capacity'],
      ['largest / Math.max(...sizes)', 'largest / Math.min(...sizes)'],
      ['alignment / Math.min(...sizes)', 'alignment / Math.max(...sizes)'],
      ['bufferIndex: buffers.length + bufferIndex', 'bufferIndex'],
      ['BufferUsage.COPY_DST | usage', 'BufferUsage.COPY_DST'],
      ['Number.isSafeInteger(n) && (n as number) >= 1', 'Number.isSafeInteger(n) && (n as number) >= 0'],
      ["typeof group !== 'string' || group === ''", "typeof group !== 'string'"],
      ['if (byteLength > largest) {', 'if (byteLength > 2 * largest) {'],
      ['Object.freeze(axes as number[])', 'shape as readonly number[]'],
    ],
  ),
  ...slipsIn(
    'src/gpu/copies/as-floats.ts',
    ['gpu/arena-calls#loads take memory'],
    [
      ["&& tagOf(typed.buffer) === '[object ArrayBuffer]'", ''],
      ['if (typed.length !== count) return undefined;', '', 'gpu/arena#wrong names and lengths'],
    ],
  ),
  ...slipsIn(
    'src/arena/buffers.ts',
    ['gpu/arena-dtypes'],
    [
      ['ends[place.bufferIndex]!.add(end)', 'ends[place.bufferIndex]!'],
      ['padding: size * alignment', 'padding: 64'],
      ['size: alignUp(size * elementCount, WORD)', 'size: size * elementCount'],
    ],
  ),
  ...slipsIn(
    'src/arena/dtypes.ts',
    ['gpu/arena-dtypes', 'unit/arena'],
    [
      ['tensor.dtype ?? arena.dtype', 'arena.dtype ?? tensor.dtype'],
      ['tensor.gradDtype ?? arena.gradDtype', 'tensor.gradDtype'],
      ['gradDtype === arena.gradDtype ? arena.gradScale : undefined', 'arena.gradScale'],
    ],
  ),
  ...slipsIn('src/arena/fill-tensors.ts', values, [
    ['seed >>> 0, Math.floor(seed / 2 ** 32)', 'seed >>> 0, 0'],
    ['seed >>> 0, Math.floor', '0, Math.floor'],
    ['scale, shift, pLow, pHigh, least, greatest]);', 'scale, shift, pHigh, pLow, least, greatest]);'],
  ]),
  ...slipsIn('src/arena/initializer.ts', values, [
    ["mode === 'fan_in' ? fanIn : fanOut", 'fanIn', 'unit/arena'],
    ['gain / Math.sqrt(', 'gain * Math.sqrt('],
    ['gain * Math.sqrt(2 / (fanIn + fanOut))', 'gain * Math.sqrt(1 / (fanIn + fanOut))'],
    ['scale: b - a, shift: a', 'scale: b, shift: a'],
    [
      'ones: (options, _, what) => check(what, {}, options) && constant(1)',
      'ones: (options, _, what) => check(what, {}, options) && constant(0)',
    ],
    ['scale: std, shift: mean, ...range', 'scale: std ** 2, shift: mean, ...range'],
    ['Math.min(Math.max(mean, a), b)', 'mean'],
    ['[(a - mean) / std, (b - mean) / std]', '[a / std, b / std]'],
    ['const isMirrored = low + high > 0;', 'const isMirrored = low + high < 0;'],
    ["...fanSpecs(Math.SQRT2, 'normal')", "...fanSpecs(1, 'normal')"],
  ]),
  ...slipsIn('shaders/initialize.wgsl', values, [
    ['(fill.element_count + 3u) / 4u', 'fill.element_count / 4u'],
    ['block += workgroup_count.x * WORKGROUP_SIZE', 'block += WORKGROUP_SIZE'],
    ['(f32(word >> 9u) + 0.5) * 0x1p-23', 'f32(word >> 9u) * 0x1p-23'],
    ['(word & 1u) == 1u', '(word & 2u) == 2u'],
    [
      'philox(vec4<u32>(block, 0u, fill.stream), fill.key)',
      'philox(vec4<u32>(block, 0u, fill.stream), fill.key.yx)',
    ],
    ['if (w < 5.0) {', 'if (w < 50.0) {'],
    ['y = 0.246640727 + y * w;', 'y = 0.246640727 - y * w;'],
  ]),
];
