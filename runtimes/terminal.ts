/** The program in Node, Deno and Bun. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { type AdapterChoice, ensureBrowser, ensureVulkanDriver } from '../scripts/browsers.js';
import { softwareVulkanDrivers } from '../scripts/find-browser.js';
import { onlyDrivers, onlySwiftShader } from '../scripts/swiftshader.js';
import { FLAGS, type TerminalName, findProgram } from './find-program.js';
import type { RuntimeRecord } from './program/record.js';
import type { RuntimeReport } from './report.js';

/** The longest that a run may take; then it is killed. */
export const LIMIT_MS = 240_000;

const TITLES: Readonly<Record<TerminalName, string>> = { deno: 'Deno', node: 'Node', bun: 'Bun' };

/**
 * Runs the program in a folder that `makeUserFolder` made.
 *
 * @throws Error that says what to do if the runtime or its driver is missing; with what it printed, if it fails.
 */
export async function runInTerminal(
  name: TerminalName,
  folder: string,
  adapter: AdapterChoice,
): Promise<RuntimeReport> {
  const { path, version } = findProgram(name);
  const drivers = adapter === 'software' ? await softwareDrivers(name) : {};
  const { code, stdout, stderr } = await run(path, [...FLAGS[name], 'terminal.js'], folder, {
    ...drivers,
    // It neither asks nor keeps anything outside of the folder.
    ...(name === 'deno' && { DENO_NO_PROMPT: '1', DENO_NO_UPDATE_CHECK: '1', DENO_DIR: `${folder}/.deno` }),
  });
  const title = `${TITLES[name]} ${version}`;
  if (code !== 0) throw new Error(`${title} ended with ${code}:\n${stderr.trim()}`);
  const record = JSON.parse(stdout.trim().split('\n').at(-1)!) as RuntimeRecord;
  return { name, title, webgpu: name === 'deno' ? 'wgpu' : `Dawn, npm \`webgpu\` ${dawnVersion()}`, record };
}

/** SwiftShader for Dawn, which takes no adapter of llvmpipe; llvmpipe for wgpu. */
async function softwareDrivers(name: TerminalName): Promise<Record<string, string>> {
  if (name !== 'deno') {
    await ensureBrowser('chrome');
    return onlySwiftShader();
  }
  ensureVulkanDriver();
  const drivers = softwareVulkanDrivers();
  if (drivers.length > 0 || process.platform !== 'linux') return onlyDrivers(drivers);
  throw new Error(
    'No Vulkan driver that runs on the CPU: "sudo apt-get install mesa-vulkan-drivers" on Debian and Ubuntu.',
  );
}

function dawnVersion(): string {
  return (createRequire(import.meta.url)('webgpu/package.json') as { version: string }).version;
}

function run(
  path: string,
  args: readonly string[],
  cwd: string,
  environment: Record<string, string>,
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const child = spawn(path, args, {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? String(signal), stdout, stderr }));
  });
}
