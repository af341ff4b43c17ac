import { rolldown } from 'rolldown';
import { gzipSync } from 'node:zlib';
import { writeFileSync, mkdtempSync } from 'node:fs';
for (const names of [['Optimizer','adam'],['adam']]) {
  const dir = mkdtempSync('/tmp/rl/e-');
  writeFileSync(dir+'/entry.js', `export { ${names.join(', ')} } from '/tmp/rl/pkg/dist/index.js';`);
  const b = await rolldown({ input: dir+'/entry.js' });
  const { output: [chunk] } = await b.generate({ minify: true, format: 'es' });
  writeFileSync('/tmp/rl/bundle-'+names.length+'.js', chunk.code);
  console.log(names, chunk.code.length, gzipSync(chunk.code, {level: 9}).length);
}
import { build } from 'vite';
import { minifySync } from 'rolldown/utils';
{
  const b = await rolldown({ input: '/tmp/rl/e-all.js' });
  const { output: [chunk] } = await b.generate({ format: 'es' });
  const dirs = {}; let all='';
  for (const [k, m] of Object.entries(chunk.modules)) {
    const key = k.replace('/tmp/rl/pkg/dist/','').split('/').slice(0,-1).join('/') || '.';
    (dirs[key] ??= []).push(m.code ?? '');
  }
  for (const [d, codes] of Object.entries(dirs).sort()) {
    let min = codes.join('\n'); try { min = minifySync('x.js', codes.join('\n'), { module: true, compress: false }).code; } catch (e) { console.log(String(e)) }
    console.log(d, min.length, gzipSync(min, { level: 9 }).length);
  }
}
