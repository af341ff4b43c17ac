import dropWgsl from '../../../shaders/stages/outer/drop.wgsl?raw';
import foundWgsl from '../../../shaders/stages/outer/found.wgsl?raw';
import keepWgsl from '../../../shaders/stages/outer/keep.wgsl?raw';
import landWgsl from '../../../shaders/stages/outer/land.wgsl?raw';
import liftWgsl from '../../../shaders/stages/outer/lift.wgsl?raw';
import takeWgsl from '../../../shaders/stages/outer/take.wgsl?raw';
import type { Resources } from '../../engine/run/resources.js';
import type { PipelineSource } from '../../gpu/pipelines.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { commonOptions } from '../../rules/options/common-options.js';
import { declareRule } from '../../rules/declaring/declare-rule.js';
import { type SidePass, planSidePass } from '../../stages/side/side-pass.js';
import type { Places } from './places.js';
import { type FloatSlabs, wholeSlabs } from './slabs.js';

/** What belongs to the weights, one number per element each. */
export interface OuterSlabs {
  readonly anchor: FloatSlabs;
  readonly base: FloatSlabs;
  readonly pending: FloatSlabs;
}

const slots = [{ name: 'anchor' }, { name: 'base' }] as const;
const common = { options: commonOptions(0), scalars: () => ({}) };

/** Twins of these are in `reference.ts`, over whole arrays. */
const rules = {
  found: declareRule({ ...common, name: 'found', wgsl: foundWgsl, slots, reference: (_, { w }) => w }),
  take: takeRule(false),
  takeMore: takeRule(true),
  lift: declareRule({ ...common, name: 'lift', wgsl: liftWgsl, slots, reference: (_, { s }) => s.anchor }),
  drop: declareRule({ ...common, name: 'drop', wgsl: dropWgsl, slots, reference: (_, { s }) => s.anchor }),
  land: declareRule({
    ...common,
    name: 'land',
    wgsl: landWgsl,
    slots: [slots[1]],
    reference: (_, { w }) => w,
  }),
};

function takeRule(hasFeedback: boolean) {
  return declareRule({
    ...common,
    name: 'take',
    wgsl: takeWgsl,
    slots: [...slots, { name: 'pending' }] as const,
    switches: () => ({ HAS_FEEDBACK: hasFeedback }),
    reference: (_, { w }) => w,
  });
}

const keep = declareRule({ ...common, name: 'keep', wgsl: keepWgsl, slots, reference: (_, { w }) => w });

/** What is done to the weights of all tensors, wherever and however they lie. */
export type WeightPasses = Readonly<Record<Exclude<keyof typeof rules, 'takeMore'>, SidePass>>;

/**
 * Plans it.
 *
 * @param tensors weights, with the places of their numbers as state.
 * @param hasFeedback whether what was left over is given, too.
 */
export function planWeightPasses(
  { device, facts, nameOf }: Pick<Resources, 'device' | 'facts' | 'nameOf'>,
  tensors: readonly PlanTensor<GPUBuffer>[],
  slabs: () => OuterSlabs,
  hasFeedback: boolean,
  label: string,
): { readonly sources: readonly PipelineSource[]; make: () => WeightPasses } {
  const plan = (name: keyof typeof rules) =>
    planSidePass({
      device,
      facts,
      nameOf,
      rule: rules[name](),
      tensors,
      rows: [{}],
      slab: (slot, index) => slabs()[slot as keyof OuterSlabs][index]!,
      label: `${label} ${name}`,
    });
  const planned = {
    found: plan('found'),
    take: plan(hasFeedback ? 'takeMore' : 'take'),
    lift: plan('lift'),
    drop: plan('drop'),
    land: plan('land'),
  };
  return {
    sources: Object.values(planned).flatMap(({ sources }) => sources),
    make: () => ({
      found: planned.found.make(),
      take: planned.take.make(),
      lift: planned.lift.make(),
      drop: planned.drop.make(),
      land: planned.land.make(),
    }),
  };
}

/** Plans what makes what is pending what it was before a delta was taken. */
export const planKeeping = (
  { device, facts }: Pick<Resources, 'device' | 'facts'>,
  places: Places,
  slabs: () => OuterSlabs,
  label: string,
): { readonly sources: readonly PipelineSource[]; make: () => SidePass } =>
  planSidePass({
    device,
    facts,
    nameOf: () => 'the delta',
    rule: keep(),
    tensors: wholeSlabs(slabs().pending, places),
    rows: [{}],
    slab: (slot, index) => slabs()[slot as keyof OuterSlabs][index]!,
    label: `${label} keep`,
  });
