/** One way of writing Adam's kernel. */
export interface Variant {
  readonly name: string;
  /** What was expected of it before the first measurement; empty where nothing was. */
  readonly prediction: string;
  readonly wgsl: string;
}

/** What a variant may do differently. */
interface Choices {
  /** Where the uniforms that say what the dispatch covers are read. */
  readonly segment: 'in the loop' | 'before the loop';
  /** Where the uniforms with the rule's scalars are read; `constant` takes literals instead. */
  readonly scalars: 'in the loop' | 'before the loop' | 'constant';
  /** Whether the end is tested by an `if` around the body, or ends the loop. */
  readonly bound: 'if' | 'loop';
  readonly arithmetic: 'adam' | 'no division or root' | 'none';
  /** vec4s per array element: one bounds clamp serves them all. */
  readonly blockLanes: number;
}

/** Each differs from the one before in one thing, until the library's kernel is reached; the rest from that. */
export function variants(): Variant[] {
  const first: Choices = {
    segment: 'in the loop',
    scalars: 'in the loop',
    bound: 'if',
    arithmetic: 'adam',
    blockLanes: 1,
  };
  const library: Choices = {
    ...first,
    segment: 'before the loop',
    scalars: 'before the loop',
    bound: 'loop',
  };
  const variant = (name: string, prediction: string, choices: Choices): Variant => ({
    name,
    prediction,
    wgsl: compose(choices),
  });
  return [
    variant('uniforms read in the loop, `if` in the loop', '', first),
    variant('end tested by the loop', '', { ...first, bound: 'loop' }),
    variant('and segment read before the loop', 'faster: fewer gathers', {
      ...library,
      scalars: 'in the loop',
    }),
    variant('and scalars read before the loop', 'faster: fewer gathers', library),
    variant('scalars as constants', '', { ...library, scalars: 'constant' }),
    variant('without division and root', '', {
      ...library,
      arithmetic: 'no division or root',
    }),
    variant('without arithmetic', '', { ...library, arithmetic: 'none' }),
    variant('2 vec4s per array element', 'faster: fewer bounds clamps', { ...library, blockLanes: 2 }),
    variant('4 vec4s per array element', 'faster: fewer bounds clamps', { ...library, blockLanes: 4 }),
  ];
}

function compose({ segment, scalars, bound, arithmetic, blockLanes }: Choices): string {
  const element = blockLanes === 1 ? 'vec4<f32>' : `array<vec4<f32>, ${blockLanes}>`;
  const fields = ['lane_count', 'data_base', 'grad_base', 'state_base'];
  const inLoop = segment === 'in the loop';
  const seg = (field: string) => (inLoop ? `segment.${field}` : field);
  const constants = ['0.1', '0.001', '1e-8', '0.001', '1.1'];
  const names = ['rate1', 'rate2', 'eps', 'step_size', 'v_scale'];
  const [rate1, rate2, eps, stepSize, vScale] = names.map((name, k) => {
    if (scalars === 'constant') return constants[k]!;
    return scalars === 'in the loop' ? `h.${name}` : name;
  });
  const equation = {
    adam: `
      let m1 = m + ${rate1} * (g - m);
      let v1 = v + ${rate2} * (g * g - v);
      let w1 = w - ${stepSize} * (m1 / (sqrt(v1) * ${vScale} + ${eps}));`,
    'no division or root': `
      let m1 = m + ${rate1} * (g - m);
      let v1 = v + ${rate2} * (g * g - v);
      let w1 = w - ${stepSize} * (m1 * (v1 * ${vScale} + ${eps}));`,
    none: 'let m1 = v; let v1 = w; let w1 = m + g;',
  }[arithmetic];
  const at = (array: string, base: string, k: number) =>
    `${array}[${seg(base)} + i]${blockLanes === 1 ? '' : `[${k}]`}`;
  const lanes = Array.from(
    { length: blockLanes },
    (_, k) => `{
      let w = ${at('data', 'data_base', k)};
      let g = ${at('grad', 'grad_base', k)};
      let m = ${at('m_array', 'state_base', k)};
      let v = ${at('v_array', 'state_base', k)};
      ${equation}
      ${at('data', 'data_base', k)} = w1;
      ${at('m_array', 'state_base', k)} = m1;
      ${at('v_array', 'state_base', k)} = v1;
    }`,
  ).join('\n');
  const end = `${seg('lane_count')} / ${blockLanes}u`;
  return `
struct Scalars { rate1: f32, rate2: f32, eps: f32, step_size: f32, v_scale: f32 }
struct Segment { lane_count: u32, data_base: u32, grad_base: u32, state_base: u32 }
@group(1) @binding(0) var<uniform> h: Scalars;
@group(0) @binding(0) var<uniform> segment: Segment;
@group(0) @binding(1) var<storage, read_write> data: array<${element}>;
@group(0) @binding(2) var<storage, read> grad: array<${element}>;
@group(0) @binding(3) var<storage, read_write> m_array: array<${element}>;
@group(0) @binding(4) var<storage, read_write> v_array: array<${element}>;

override WORKGROUP_SIZE: u32 = 64u;
override LANES_PER_INVOCATION: u32 = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn step(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) workgroup_count: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  ${inLoop ? '' : fields.map((field) => `let ${field} = segment.${field};`).join('\n  ')}
  ${scalars === 'before the loop' ? names.map((name) => `let ${name} = h.${name};`).join('\n  ') : ''}
  let steps = LANES_PER_INVOCATION / ${blockLanes}u;
  let workgroup = workgroup_id.y * workgroup_count.x + workgroup_id.x;
  let first = (workgroup * WORKGROUP_SIZE + local_index) * steps;
  let end = ${bound === 'loop' ? `min(first + steps, ${end})` : 'first + steps'};
  for (var i = first; i < end; i++) {
    ${bound === 'if' ? `if (i < ${end}) {${lanes}}` : lanes}
  }
}`;
}
