import { expect, test } from 'vitest';
import {
  CURVE_CASES,
  DEFAULT_CASES,
  QUICK_CASES,
  parseBytes,
  parseCase,
  resolveCase,
  restrictCase,
  totalElements,
} from '../../lab/measuring/cases.js';

const GIB = 2 ** 30;

test.each([
  ['1e7', 1, 1e7],
  ['1000', 1, 1000],
  ['1000x1e3', 1000, 1000],
])('%s is %d tensors of %d elements', (text, tensorCount, elementsPerTensor) => {
  const request = parseCase(text);
  expect(request).toEqual({ text, tensorCount, elementsPerTensor });
  const benchCase = resolveCase(request, GIB);
  expect(benchCase).toEqual(request);
  expect(totalElements(benchCase)).toBe(tensorCount * elementsPerTensor);
});

test.each([
  '',
  'x',
  '1e7x',
  '0',
  '-1',
  '1.5',
  '1e3x1e3x1e3',
  '1e7@',
  '1e7@1KiB',
  '1e7@128MiB@128MiB',
  '1e400',
])('%o is no case, and is quoted', (text) => {
  expect(() => parseCase(text)).toThrow(/^".*" is no /);
});

test('a limit below what every device has would be ignored, and is refused', () => {
  expect(parseBytes('128MiB')).toBe(134_217_728);
  expect(parseBytes('2GiB')).toBe(2 * GIB);
  expect(() => parseBytes('127MiB')).toThrow('"127MiB"');
});

test('past-binding-limit is a tenth more than the tighter of the two limits holds', () => {
  const request = parseCase('past-binding-limit@128MiB');
  // 1.1 · 2²⁷ / 4 = 36,909,875.2, to three digits.
  expect(resolveCase(request, GIB)).toEqual({
    text: '3.69e7@128MiB',
    tensorCount: 1,
    elementsPerTensor: 36_900_000,
    maxBinding: 2 ** 27,
  });
  // 1.1 · 2³⁰ / 4 = 295,279,001.6
  expect(resolveCase(parseCase('2xpast-binding-limit'), GIB)).toEqual({
    text: '2x2.95e8',
    tensorCount: 2,
    elementsPerTensor: 295_000_000,
  });
});

test('a limit for all cases is part of their names, and leaves those that have one alone', () => {
  expect(restrictCase(parseCase('5e7'), GIB)).toEqual(parseCase('5e7@1024MiB'));
  const own = parseCase('5e7@128MiB');
  expect(restrictCase(own, GIB)).toBe(own);
});

test('the text of a resolved case reads back as the same case', () => {
  for (const text of [DEFAULT_CASES, QUICK_CASES, CURVE_CASES].join(',').split(',')) {
    const benchCase = resolveCase(parseCase(text), GIB);
    expect(parseCase(benchCase.text)).toEqual(benchCase);
  }
});
