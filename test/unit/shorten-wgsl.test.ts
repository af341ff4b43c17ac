import { expect, test } from 'vitest';
import { shortenWgsl } from '../../scripts/shorten-wgsl.js';
import { stripWgsl } from '../../scripts/wgsl-plugin.js';

const shaders = import.meta.glob<string>('../../shaders/**/*.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

test('parameters and variables of functions get letters, all other names stay', () => {
  expect(
    shortenWgsl(
      stripWgsl(`
const limit: u32 = 4u;
var<private> total: f32;
struct Range { first: u32, end: u32 }
fn sum(@builtin(first) first: u32, values: ptr<function, vec4f>) -> f32 {
  var range = Range(first, limit);
  for (var index = range.first; index < range.end; index++) {
    let value = values[index] * 1.5e0;
    total += value;
  }
  for (var index = 0u; index < 2u; index++) { total += f32(index); }
  return total;
}
fn keep(total: f32, a: f32) { store(total + b, a); }
`),
    ),
  ).toBe(
    stripWgsl(`
const limit: u32 = 4u;
var<private> total: f32;
struct Range { first: u32, end: u32 }
fn sum(@builtin(first) a: u32, b: ptr<function, vec4f>) -> f32 {
  var c = Range(a, limit);
  for (var d = c.first; d < c.end; d++) {
    let e = b[d] * 1.5e0;
    total += e;
  }
  for (var d = 0u; d < 2u; d++) { total += f32(d); }
  return total;
}
fn keep(a: f32, c: f32) { store(a + b, c); }
`),
  );
});

test('a name that also means something outside of its declaration stays', () => {
  for (const kept of [
    'fn f(){let size=size+1u;use(size);}',
    'fn f(){if(size>0u){let size=2u;use(size);}use(size);}',
    'fn f(){for(var size=0u;size<2u;size++){}use(size);}',
    'fn f(){use(size);var size=1u;}',
  ]) {
    expect(shortenWgsl(kept)).toBe(kept);
  }
  expect(shortenWgsl('fn f(){if(x){let size=2u;use(size);}else{let size=3u;use(size);}}')).toBe(
    'fn f(){if(x){let a=2u;use(a);}else{let a=3u;use(a);}}',
  );
});

test('in all shaders, each function has a letter for a name, and no letter means two things', () => {
  const tokens = (wgsl: string) => wgsl.match(/@\w+(?:\([^)]*\))?|\.\w+|\w+|[^\s\w]/g)!;
  let count = 0;
  for (const [path, wgsl] of Object.entries(shaders)) {
    const before = tokens(stripWgsl(wgsl));
    const after = tokens(shortenWgsl(stripWgsl(wgsl)));
    expect(after.length, path).toBe(before.length);
    let [nameOf, shortOf] = [new Map<string, string>(), new Map<string, string>()];
    before.forEach((name, k) => {
      if (name === 'fn') [nameOf, shortOf] = [new Map(), new Map()];
      const short = after[k]!;
      if (short !== name) expect(short, path).toMatch(/^[a-z]$/);
      if (!/^[a-z_]\w*$/i.test(name)) return;
      expect([nameOf.get(short) ?? name, shortOf.get(name) ?? short], path).toEqual([name, short]);
      nameOf.set(short, name);
      shortOf.set(name, short);
      if (short !== name) count++;
    });
  }
  expect(count).toBeGreaterThan(1000);
});
