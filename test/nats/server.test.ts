/** The server that tests and `npm run fleet` start. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

test.each([
  ['throws what nobody catches', 'throw new Error("mine");', 1],
  ['rejects what nobody awaits', 'Promise.reject(new Error("mine")); await new Promise(() => {});', 1],
  ['leaves', 'process.exit(3);', 3],
])('ends with a script that %s', async (_, end, status) => {
  const script = `
    import { readdirSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { startNatsServer } from './scripts/nats-server.ts';
    const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('webgpu-optim-nats-'));
    const before = new Set(folders());
    const { url } = await startNatsServer();
    console.log(JSON.stringify({ url, folders: folders().filter((name) => !before.has(name)).map((name) => tmpdir() + '/' + name) }));
    ${end}`;
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  expect(run.status, run.stderr).toBe(status);
  if (status === 1) expect(run.stderr).toContain('mine');
  const { url, folders } = JSON.parse(run.stdout) as { url: string; folders: string[] };
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await expect(once(socket, 'connect')).rejects.toThrow('ECONNREFUSED');
  // Another test may have started a server of its own meanwhile.
  if (folders.length === 1) expect(existsSync(folders[0]!)).toBe(false);
});
