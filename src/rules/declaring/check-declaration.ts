import type { RuleOptions } from '../options/common-options.js';
import { OptimizerError, isRecord, quote } from '../../errors.js';
import type { RuleDeclaration } from './declaration.js';
import { type LooseSource, declaresFunction } from './merge-parts.js';
import { scalarComplaint } from './scalar-complaint.js';

/** Names that generated WGSL and `shaders/*.wgsl` use, and those words of WGSL that a name may well collide with. */
const TAKEN: readonly string[] = (
  'h tensor lane segment segments control rows data grad params step begin update prepare average measure summarize ' +
  'alias bitcast bool break case const continue continuing default diagnostic discard else enable f16 f32 false fn for ' +
  'i32 if let loop override ptr requires return struct switch target true u32 var vec2 vec3 vec4 while'
).split(' ');

/** Fields of `h`, and overrides, that every kernel has. */
const STANDARD: readonly string[] = (
  'decay t grad_multiplier min_grad_value max_grad_value ' +
  'MAXIMIZE DECAY_GRADIENT DECAY_WEIGHT CLAMP_GRADIENT WORKGROUP_SIZE LANES_PER_INVOCATION CONSECUTIVE ROW_LANES'
).split(' ');

function fail(what: string, complaint: string): never {
  throw new OptimizerError('invalid-rule', `${what}: ${complaint}.`);
}

function checkName(name: unknown, kind: string, what: string): void {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
    fail(
      what,
      `the ${kind} ${quote(name)} is no identifier of WGSL; use letters, digits and _, a letter first`,
    );
  }
  if (TAKEN.includes(name) || STANDARD.includes(name)) {
    fail(what, `the ${kind} ${quote(name)} has the name of something that every kernel has; choose another`);
  }
}

function rejectTwice(names: readonly string[], what: string): void {
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined)
    fail(what, `${quote(twice)} is declared twice; leave one out, or name it otherwise`);
}

const withoutComments = (wgsl: string): string => wgsl.replaceAll(/\/\/.*|\/\*[^]*?\*\//g, '');

/** Which fields hold what, of a rule or a part. */
const FUNCTIONS = ['complaint', 'decaysWeight', 'switches', 'scalars', 'prepare'] as const;

/** @throws OptimizerError `invalid-rule` unless a part's fields, and those of its parts, are of the right kind. */
export function checkPart(part: unknown, what = 'part'): void {
  if (!isRecord(part)) fail(what, `it is ${quote(part)}; give what definePart returns`);
  const { wgsl, parts = [], slots = [], options = {} } = part;
  if (typeof wgsl !== 'string') fail(what, `wgsl is ${quote(wgsl)}; give the text of a shader`);
  if (!Array.isArray(parts)) fail(what, `parts is ${quote(parts)}; give a list of what definePart returns`);
  parts.forEach((inner, k) => checkPart(inner, `${what}: parts[${k}]`));
  if (!Array.isArray(slots) || !slots.every(isRecord)) {
    fail(what, `slots is ${quote(slots)}; give a list like [{ name: 'exp_avg' }]`);
  }
  for (const name of FUNCTIONS) {
    const given = part[name];
    if (given !== undefined && typeof given !== 'function')
      fail(what, `${name} is ${quote(given)}; give a function`);
  }
  if (!isRecord(options)) fail(what, `options is ${quote(options)}; give a spec per name`);
  for (const [name, spec] of Object.entries(options)) {
    if (name === 'params')
      fail(what, 'the option params has the name of the list of a group; choose another');
    if (!isRecord(spec) || typeof spec['accepts'] !== 'function') {
      fail(what, `option ${name} is ${quote(spec)}; give a spec, e.g. option.number(0.9, 0, 1)`);
    }
    const { default: value, accepts, range } = spec;
    if (!Number.isNaN(value) && accepts(value) !== true) {
      fail(what, `the default ${quote(value)} of option ${name} is not ${String(range)}`);
    }
  }
}

/** @throws OptimizerError `invalid-rule` unless a rule's fields, and those of its parts, are of the right kind. */
export function checkSource(source: unknown): void {
  const name = isRecord(source) ? source['name'] : undefined;
  const what = `rule ${quote(name)}`;
  checkPart(source, what);
  const { scalars, reference, options } = source as LooseSource;
  if (typeof name !== 'string' || !/^[\w-]+$/.test(name)) {
    fail(what, `its name is ${quote(name)}; give letters, digits, _ and -`);
  }
  if (typeof scalars !== 'function') fail(what, 'scalars is missing; give e.g. (o, lr) => ({ lr })');
  if (typeof reference !== 'function') fail(what, 'reference is missing; give the equation on the CPU');
  const missing = ['lr', 'weightDecay', 'weightDecayMode', 'maximize'].find(
    (one) => !(one in (options ?? {})),
  );
  if (missing !== undefined) fail(what, `options lack ${missing}; spread option.common(0.01) into them`);
}

/**
 * Checks a rule with its parts merged into it, as far as can be told without a device.
 *
 * @param sources the rule and its parts.
 * @throws OptimizerError `invalid-rule` with the first thing wrong in it.
 */
export function checkDeclaration(declaration: RuleDeclaration, sources: readonly LooseSource[]): void {
  const what = `rule ${quote(declaration.name)}`;
  checkWgsl(declaration, what);
  checkSlots(declaration, what);
  rejectTwice(
    sources.flatMap(({ options }) => Object.keys(options ?? {})),
    `${what}: options`,
  );
  const specs = Object.entries(declaration.options);
  // Options that must be given: then the numbers of the first rule made are the first to be known.
  if (specs.some(([, spec]) => Number.isNaN(spec.default))) return;
  const defaults = Object.fromEntries(specs.map(([name, spec]) => [name, spec.default])) as RuleOptions;
  const lr = typeof defaults.lr === 'number' ? defaults.lr : 1;
  const switches = sources.flatMap((source) => Object.entries<unknown>(source.switches?.(defaults) ?? {}));
  checkSwitches(switches, declaration.wgsl, what);
  const scalars = sources.flatMap((source) => Object.keys(source.scalars?.(defaults, lr) ?? {}));
  for (const name of scalars) checkName(name, 'scalar', what);
  rejectTwice(scalars, `${what}: scalars`);
  const complaint = scalarComplaint(declaration.scalars(defaults, lr));
  if (complaint !== undefined) fail(what, `with its default options, ${complaint.slice(0, -1)}`);
}

function checkWgsl({ wgsl, tensor }: RuleDeclaration, what: string): void {
  const code = withoutComments(wgsl);
  const wanted: [string, string][] = [['update', 'fn update(w: lane, g: lane) -> lane']];
  if (tensor) {
    wanted.push(['measure', 'fn measure(w: lane, g: lane) -> Measured']);
    wanted.push(['summarize', 'fn summarize(norms: Norms)']);
  }
  for (const [name, signature] of wanted) {
    if (!declaresFunction(code, name)) fail(what, `wgsl has no function ${name}; declare ${signature}`);
  }
  const functions = Array.from(code.matchAll(/\bfn\s+(\w+)/g), ([, name]) => name!);
  rejectTwice(functions, `${what}: functions of wgsl`);
}

function checkSlots({ slots, tensor, evaluation }: RuleDeclaration, what: string): void {
  const names = slots.map(({ name }) => name);
  const values = tensor?.values ?? [];
  for (const name of names) checkName(name, 'slot', what);
  for (const name of values) checkName(name, 'value', what);
  rejectTwice([...names, ...values], `${what}: slots`);
  const perTensor = slots.find((slot) => slot.perTensor === true);
  if (perTensor && !tensor) {
    fail(what, `slot ${quote(perTensor.name)} is per tensor; declare tensor, which updates it`);
  }
  for (const name of [...(tensor?.reads ?? []), ...(evaluation ? [evaluation.slot] : [])]) {
    if (!names.includes(name)) fail(what, `${quote(name)} is no slot; its slots are ${quote(names)}`);
  }
}

function checkSwitches(switches: readonly (readonly [string, unknown])[], wgsl: string, what: string): void {
  const code = withoutComments(wgsl);
  for (const [name, value] of switches) {
    checkName(name, 'switch', what);
    if (typeof value !== 'boolean') fail(what, `the switch ${name} is ${quote(value)}; give true or false`);
    if (!new RegExp(`\\boverride\\s+${name}\\s*:\\s*bool\\b`).test(code)) {
      fail(what, `wgsl does not declare the switch ${name}; write override ${name}: bool = false;`);
    }
  }
  rejectTwice(
    switches.map(([name]) => name),
    `${what}: switches`,
  );
}
