import { expect, test } from 'vitest';
import { stripWgsl } from '../../scripts/wgsl-plugin.js';
import { askLengthsFirst } from '../../src/gpu/array-lengths.js';

const shaders = Object.values(
  import.meta.glob<string>('../../shaders/**/*.wgsl', { query: '?raw', import: 'default', eager: true }),
);

test('it finds every entry point, as it is written and as it is shipped', () => {
  const array = 'var<storage, read> a: array<u32>;\n';
  let count = 0;
  for (const wgsl of shaders) {
    for (const [, name] of wgsl.matchAll(/@compute[^]*?fn (\w+)\(/g)) {
      count += 1;
      for (const code of [array + wgsl, array + stripWgsl(wgsl)]) {
        expect(askLengthsFirst(code, name!), name).not.toBe(code);
      }
    }
  }
  expect(count).toBeGreaterThan(20);
});

const kernel = (arrays: string) => `${arrays}
fn helper(k: u32) -> u32 {
  return k;
}

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) workgroup_id: vec3u,
) {
  other();
}

fn stepped() {
}`;

test('an entry point asks for the lengths of its arrays before anything else', () => {
  const arrays = `@group(0) @binding(0) var<storage, read> grad: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> data : array<atomic<u32>>;
var<storage, read_write> count: atomic<u32>;
var<storage,read> fixed: Header;
var<uniform> page: array<Row, 8>;
var<private> own: array<u32, 4>;`;
  expect(askLengthsFirst(kernel(arrays), 'step')).toBe(
    kernel(arrays).replace(
      ') {\n  other',
      ') {\n  if (min(arrayLength(&grad), arrayLength(&data)) == 0u) {\n    return;\n  }\n  other',
    ),
  );
});

test('one array needs no minimum, and without arrays nothing changes', () => {
  const one =
    'var<storage,read>a:array<u32>;@compute @workgroup_size(1)fn run(@builtin(global_invocation_id)id:vec3u){a;}';
  expect(askLengthsFirst(one, 'run')).toContain('id:vec3u){\n  if (arrayLength(&a) == 0u) {');
  expect(askLengthsFirst(kernel(''), 'step')).toBe(kernel(''));
});
