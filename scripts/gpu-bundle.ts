/** `npm run gpu-bundle`: a folder that measures a GPU where there is no Node, no browser and no network. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import { createCommand, runCommand } from './terminal/command-line.js';
import { beforeLeaving } from './terminal/leaving.js';

/**
 * Debian's loader of Vulkan, and what NVIDIA's driver and Dawn link to and a machine without a screen may lack.
 * run.sh uses only what it finds missing.
 */
const LIBRARIES = (
  'libvulkan1 libglvnd0 libegl1 libgl1 libglx0 libopengl0 libgles2 ' +
  'libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 libbsd0 libmd0 libstdc++6'
).split(' ');
/** The most that may be carried to a lent machine, with the repository beside it. */
const MOST_MIB = 64;

await runCommand('gpu-bundle', async () => {
  const { out } = createCommand('npm run gpu-bundle --')
    .description(
      'Packs Node, Dawn, a Vulkan loader and the benchmark for a Linux machine that has a GPU and Python 3.',
    )
    .option('--out <folder>', 'where to', 'gpu-bundle')
    .parse()
    .opts<{ out: string }>();
  if (process.platform !== 'linux') {
    throw new Error(
      `This is ${process.platform}; the bundle holds this machine's Node and needs one of Linux.`,
    );
  }
  const staging = mkdtempSync(join(tmpdir(), 'gpu-bundle-'));
  const remove = (): void => rmSync(staging, { recursive: true, force: true });
  const takeBack = beforeLeaving(remove);
  try {
    await stageBenchmark(staging);
    stageNode(staging);
    stageDawn(staging);
    stageLibraries(staging);
    pack(staging, out);
  } finally {
    takeBack();
    remove();
  }
});

async function stageBenchmark(staging: string): Promise<void> {
  await build({
    configFile: 'bench/vite.config.ts',
    logLevel: 'error',
    build: { outDir: join(staging, 'bench/dist') },
  });
  cpSync('bench/peers', join(staging, 'bench/peers'), { recursive: true });
}

/** Without its symbols Node is smaller by an eighth; where there is no `strip`, it goes as it is. */
function stageNode(staging: string): void {
  const target = join(staging, 'node');
  try {
    execFileSync('strip', [process.execPath, '-o', target]);
  } catch {
    cpSync(process.execPath, target);
  }
}

function stageDawn(staging: string): void {
  const [from, to] = ['node_modules/webgpu', join(staging, 'node_modules/webgpu')];
  const binary = `dist/linux-${process.arch}`;
  for (const path of ['package.json', 'index.js', 'LICENSE.md', binary]) {
    cpSync(join(from, path), join(to, path), { recursive: true });
  }
}

/** Downloads the packages of {@link LIBRARIES} and keeps the libraries themselves, by the names that programs ask for. */
function stageLibraries(staging: string): void {
  const downloads = join(staging, 'downloads');
  const [unpacked, target] = [join(downloads, 'unpacked'), join(staging, 'lib')];
  mkdirSync(downloads);
  mkdirSync(target);
  try {
    execFileSync('apt-get', ['download', ...LIBRARIES], {
      cwd: downloads,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  } catch (error) {
    throw new Error(
      `apt-get download ${LIBRARIES.join(' ')} failed; it needs Debian or Ubuntu, a network and apt-get update.`,
      { cause: error },
    );
  }
  for (const file of readdirSync(downloads)) {
    execFileSync('dpkg-deb', ['-x', file, 'unpacked'], { cwd: downloads });
  }
  for (const folder of readdirSync(join(unpacked, 'usr/lib'))) {
    const libraries = join(unpacked, 'usr/lib', folder);
    for (const name of readdirSync(libraries).filter((file) => /\.so\.\d+$/.test(file))) {
      cpSync(realpathSync(join(libraries, name)), join(target, name));
    }
  }
  rmSync(downloads, { recursive: true });
}

function pack(staging: string, out: string): void {
  const folder = resolve(out);
  mkdirSync(folder, { recursive: true });
  const payload = join(folder, 'payload.tar.xz');
  rmSync(payload, { force: true });
  execFileSync('tar', ['-cJf', payload, '-C', staging, '.'], { env: { ...process.env, XZ_OPT: '-3 -T0' } });
  cpSync('bench/gpu/run.sh', join(folder, 'run.sh'));
  const mib = statSync(payload).size / 2 ** 20;
  if (mib > MOST_MIB) {
    throw new Error(`${payload} has ${mib.toFixed(1)} MiB; ${MOST_MIB} MiB is the most that can be carried.`);
  }
  console.log(`${out}: ${mib.toFixed(1)} MiB. Carry it over and run there: bash ${out}/run.sh --out results`);
}
