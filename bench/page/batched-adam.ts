/** How a dispatch shares out one or several tensors. */
export interface BatchShape {
  readonly workgroupSize: number;
  /** Consecutive vec4s of a tensor per invocation. */
  readonly lanesPerInvocation: number;
  /** Tensors in one dispatch. */
  readonly together: number;
  /** Each workgroup takes one of the tensors; otherwise each invocation has a share of every one, in turn. */
  readonly workgroupEach: boolean;
  /** Both moments of the tensors lie in two buffers, `strideLanes` from one to the next; otherwise each has two. */
  readonly sharedState: boolean;
}

/** A storage binding of a batched kernel; the uniform has binding 0, these follow. */
export interface BatchBinding {
  readonly name: string;
  readonly access: 'read' | 'read_write';
}

/** The storage bindings in order: weights, gradient and perhaps moments of each tensor, then the shared moments. */
export function batchBindings({ together, sharedState }: BatchShape): BatchBinding[] {
  const moments = (suffix: string): BatchBinding[] =>
    ['m', 'v'].map((name) => ({ name: `${name}${suffix}`, access: 'read_write' }));
  const tensors = Array.from({ length: together }, (_, j): BatchBinding[] => [
    { name: `w${j}`, access: 'read_write' },
    { name: `g${j}`, access: 'read' },
    ...(sharedState ? [] : moments(String(j))),
  ]);
  return [...tensors.flat(), ...(sharedState ? moments('') : [])];
}

/** Adam over `shape.together` tensors of `laneCount` vec4s each, in one dispatch. */
export function composeBatchedAdam(shape: BatchShape, laneCount: number, strideLanes: number): string {
  const { workgroupSize, lanesPerInvocation, together, workgroupEach, sharedState } = shape;
  const loops = Array.from({ length: together }, (_, j) => {
    const [m, v] = sharedState
      ? ['m', 'v'].map((name) => `${name}[i + ${j * strideLanes}u]`)
      : [`m${j}[i]`, `v${j}[i]`];
    return `for (var i = start; i < end; i++) {
    let g = g${j}[i];
    let m_new = ${m} + (g - ${m}) * params.alpha1;
    let v_new = ${v} + (g * g - ${v}) * params.alpha2;
    ${m} = m_new;
    ${v} = v_new;
    w${j}[i] -= params.step_size * m_new / (sqrt(v_new * params.v_scale) + params.eps);
  }`;
  });
  const cases = loops.map((loop, j) => `case ${j}u${j === 0 ? ', default' : ''}: { ${loop} }`);
  return `
struct Params { alpha1: f32, alpha2: f32, step_size: f32, v_scale: f32, eps: f32 }
@group(0) @binding(0) var<uniform> uniform_params: Params;
${batchBindings(shape)
  .map(({ name, access }, k) => `@group(0) @binding(${k + 1}) var<storage, ${access}> ${name}: array<vec4f>;`)
  .join('\n')}

@compute @workgroup_size(${workgroupSize})
fn main(@builtin(workgroup_id) workgroup_id: vec3u, @builtin(local_invocation_index) local_index: u32) {
  let params = uniform_params;
  let workgroup = ${workgroupEach ? '0u' : 'workgroup_id.x'};
  let start = (workgroup * ${workgroupSize}u + local_index) * ${lanesPerInvocation}u;
  let end = min(start + ${lanesPerInvocation}u, ${laneCount}u);
  ${workgroupEach ? `switch (workgroup_id.x) { ${cases.join('\n')} }` : loops.join('\n')}
}`;
}
