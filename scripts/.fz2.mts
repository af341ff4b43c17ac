import { importForGpu } from '/tmp/w/break17/scripts/import-for-gpu.ts';
const [from, to, minutes] = process.argv.slice(2).map(Number);
const { module, gpu } = await importForGpu('test/fuzz/run/fuzz-run.ts');
const { paletteOf } = (await (globalThis as any).x, await importForGpu('test/fuzz/draw/palettes.ts')).module as any;
const end = Date.now() + minutes * 60000; let n = 0;
for (let s = from!; s < to! && Date.now() < end; s++) {
  const p = paletteOf(s);
  const a = new Set(p.dtypes.map((d: object) => JSON.stringify(d)));
  if (!p.hasLayouts || !p.dtypes.some((d: any) => d.dtype || d.gradDtype === 'f16' || d.gradDtype === 'bf16')) continue;
  console.log('##', s, p.rules[0].rule, [...a].join(), JSON.stringify(p.settings)); n++;
  const failed = await (module as any).fuzz({ cases: 60, minutes: 100, seed: s, path: undefined, gpu, log: (l: string) => console.log(l) });
}
console.log('palettes', n); process.exit(0);
