import {
  type LearningRate,
  type OptionSpec,
  type UpdateDecayMode,
  type WeightDecayMode,
  boolean,
  choice,
  learningRate,
  number,
} from './options.js';

/** Options that every rule takes. */
export interface CommonOptions<Mode extends UpdateDecayMode = WeightDecayMode> {
  /** Learning rate η ≥ 0, or a schedule `(step) => η`, step 0-based. The default is the rule's. */
  lr?: LearningRate;
  /** Weight decay d ≥ 0. Default 0, unless the rule says otherwise. */
  weightDecay?: number;
  /**
   * How weight decay enters: `'l2'` (default, unless the rule says otherwise) g ← g + dw; `'decoupled'` w ← w − ηdw, then
   * the update; `'raw'` w ← w − dw.
   */
  weightDecayMode?: Mode;
  /** Ascend instead of descend: the gradient is negated first. Default false. */
  maximize?: boolean;
}

/** Common options of rules whose equation has weight decay in the update; `weightDecayMode` is `'update'` by default. */
export type UpdateDecayOptions = CommonOptions<UpdateDecayMode>;

/** What every rule's options hold once defaults are filled in. */
export type ResolvedCommonOptions<Mode extends UpdateDecayMode = UpdateDecayMode> = Readonly<
  Required<CommonOptions<Mode>>
>;

/** The specs of {@link CommonOptions}. */
export type CommonSpecs<Mode extends UpdateDecayMode> = {
  readonly lr: OptionSpec<LearningRate>;
  readonly weightDecay: OptionSpec<number>;
  readonly weightDecayMode: OptionSpec<Mode>;
  readonly maximize: OptionSpec<boolean>;
};

const DECAY_MODES: readonly WeightDecayMode[] = ['l2', 'decoupled', 'raw'];

/**
 * The options that every rule has.
 *
 * @param lr the rule's default learning rate.
 * @param weightDecay its default.
 * @param mode the default of `weightDecayMode`; `'update'` if the rule's equation has decay in the update.
 */
export function commonOptions(
  lr: number,
  weightDecay?: number,
  mode?: WeightDecayMode,
): CommonSpecs<WeightDecayMode>;
export function commonOptions(lr: number, weightDecay: number, mode: 'update'): CommonSpecs<UpdateDecayMode>;
export function commonOptions(
  lr: number,
  weightDecay = 0,
  mode: UpdateDecayMode = 'l2',
): CommonSpecs<UpdateDecayMode> {
  return {
    lr: learningRate(lr),
    weightDecay: number(weightDecay, 0),
    weightDecayMode: choice<UpdateDecayMode>(mode, mode === 'update' ? [mode, ...DECAY_MODES] : DECAY_MODES),
    maximize: boolean(false),
  };
}

/** A rule's options, complete; of some rule, whose names are not known, the common ones and whatever else it has. */
export type RuleOptions<O extends object = object> = [keyof O] extends [never]
  ? ResolvedCommonOptions & Readonly<Record<string, unknown>>
  : Readonly<Required<O>>;
