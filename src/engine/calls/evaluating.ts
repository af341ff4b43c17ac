import { OptimizerError, quote } from '../../errors.js';
import { encodeOrSubmit } from '../../gpu/commands.js';
import { COUNT_OFFSET, Evaluation, createPlace } from '../../stages/side/evaluation.js';
import type { GroupPart } from '../run/group-part.js';
import type { Run } from '../run/run.js';
import type { Session } from '../session.js';
import { layoutOf } from '../../kernel/rule-layout.js';

/** What the weights to evaluate with come from: the rule's own, or an average's slot. */
type Source = 'rule' | 'ema' | 'swa';

/** Puts the weights to evaluate with in place of those that train, and back. */
export class Evaluating {
  /** What the weights in place come from, as far as was asked. */
  #source: Source | undefined;
  /** What they came from last. */
  #latest: Source | undefined;
  #made: { readonly source: Source; readonly version: number; readonly evaluation: Evaluation } | undefined;
  /** Per group, the share of its rule's slot that is added; options that change meanwhile are none of the way back's. */
  #shares: ReadonlyMap<GroupPart, number> = new Map();
  /** What of it is known to have been made as it should be. */
  #fine: Evaluation | undefined;
  /** By row. */
  readonly #places = new Map<number, GPUBuffer>();

  constructor(
    private readonly session: Session,
    private readonly run: Run,
  ) {}

  /** As `Optimizer.eval`. */
  evaluate(encoder: GPUCommandEncoder | undefined): void {
    this.session.guard.check('eval()');
    this.session.guard.rejectHeld('eval()');
    const source = this.#defaultSource();
    if (source === undefined) throw noOtherWeights('eval()', this.run);
    // Again, too: whether that is of use is known when it is submitted, which callers may do in another order.
    this.#exchange(this.#source ?? source, true, 'eval()', encoder);
  }

  /** As `Optimizer.train`. */
  train(encoder: GPUCommandEncoder | undefined): void {
    this.session.guard.check('train()');
    this.session.guard.rejectHeld('train()');
    if (this.#defaultSource() === undefined) throw noOtherWeights('train()', this.run);
    if (this.#latest !== undefined) this.#exchange(this.#latest, false, 'train()', encoder);
  }

  /** As `Optimizer.swapEma`. */
  swapEma(): void {
    this.session.guard.check('swapEma()');
    this.session.guard.rejectHeld('swapEma()');
    if (!this.#has('ema')) {
      throw new OptimizerError(
        'invalid-config',
        'swapEma(): there is no state "ema" here; create the optimizer with ema: { decay: 0.999 }.',
      );
    }
    if (this.#source !== undefined && this.#source !== 'ema') {
      throw new OptimizerError(
        'invalid-config',
        'swapEma() was called after eval(), while other weights are in place; call train() first.',
      );
    }
    this.#exchange('ema', this.#source === undefined, 'swapEma()', undefined);
  }

  destroy(): void {
    this.#made?.evaluation.destroy();
    for (const buffer of this.#places.values()) buffer.destroy();
  }

  #defaultSource(): Source | undefined {
    if (this.run.parts[0]!.layout.evaluation) return 'rule';
    return (['ema', 'swa'] as const).find((source) => this.#has(source));
  }

  #has(average: 'ema' | 'swa'): boolean {
    return this.run.parts[0]!.layout.averages.some(({ declaration }) => declaration.name === average);
  }

  #exchange(
    source: Source,
    isEvaluating: boolean,
    call: string,
    encoder: GPUCommandEncoder | undefined,
  ): void {
    const { session, run } = this;
    const { device, label } = run.resources;
    // Of the way back, the shares are those of the way there, but for groups that have joined since.
    const isKnown = !isEvaluating && run.parts.every((part) => this.#shares.has(part));
    if (source === 'rule' && !session.guard.isEvaluating && !isKnown) this.#takeShares();
    if (isEvaluating) this.#rejectRounded(call);
    const encode = (): void =>
      encodeOrSubmit(device, encoder, `${label} ${call}`, call, (commands) => {
        const evaluation = this.#evaluationOf(source);
        this.#tellCounts(commands);
        const pass = commands.beginComputePass({ label: `${label} ${call}` });
        evaluation.encode(pass, isEvaluating);
        pass.end();
      });
    if (this.#isMade(source) && this.#fine === this.#made?.evaluation) encode();
    else {
      session.watch(encode, () => (this.#fine = this.#made?.evaluation));
    }
    if (encoder) run.expectSubmission();
    this.#source = isEvaluating ? source : undefined;
    this.#latest = source;
    session.guard.isEvaluating = isEvaluating;
  }

  /** What weights of 2 bytes cannot hold would be lost on the way back. */
  #rejectRounded(call: string): void {
    const tensors = this.run.parts.filter(({ layout }) => !layout.masters).flatMap((part) => part.tensors);
    const rounded = tensors.find(({ parameter: { data } }) => data[0]!.codec);
    if (!rounded) return;
    throw new OptimizerError(
      'invalid-config',
      `${call}: parameter ${quote(rounded.parameter.name)} has weights of 2 bytes, which cannot change places with what is float32; ` +
        'use masterWeights, read the averages by readState(), or use dtype "f32".',
    );
  }

  /** Made when it is asked for, and again after the run has changed; watched by the caller. */
  #evaluationOf(source: Source): Evaluation {
    const { run } = this;
    if (this.#made && this.#isMade(source)) return this.#made.evaluation;
    const { version } = run;
    const { device, facts, nameOf } = run.resources;
    const rows = run.rows.list.flatMap((row, k) => {
      if (!row) return [];
      const { part, tensors } = row;
      const slot = source === 'rule' ? part.layout.evaluation!.slot : slotOf(part, source);
      return {
        tensors: [...tensors].map((tensor) => part.planTensor(tensor)),
        slot,
        slab: (name: string, index: number) => part.slabs.slab(name, index),
        masters: part.layout.masters,
        ...(source === 'rule' && { share: this.#shares.get(part)! }),
        place: this.#placeOf(k),
        label: part.label,
      };
    });
    const evaluation = new Evaluation(device, { facts, nameOf }, rows);
    if (this.#made) run.retire([this.#made.evaluation]);
    this.#made = { source, version, evaluation };
    return evaluation;
  }

  /** Asks for the shares that are in force; others need other constants. */
  #takeShares(): void {
    const shares = new Map(
      this.run.parts.map((part) => [part, layoutOf(part.group.inForce().rule).evaluation!.share]),
    );
    if ([...shares].every(([part, share]) => this.#shares.get(part) === share)) return;
    this.#shares = shares;
    if (this.#made) this.run.retire([this.#made.evaluation]);
    this.#made = undefined;
  }

  #isMade(source: Source): boolean {
    return this.#made?.source === source && this.#made.version === this.run.version;
  }

  #placeOf(row: number): GPUBuffer {
    let place = this.#places.get(row);
    if (!place) {
      const { device, label } = this.run.resources;
      this.#places.set(row, (place = createPlace(device, label)));
    }
    return place;
  }

  /** Tells the GPU how many steps were applied to the tensors of each row; where steps may be skipped, it knows itself. */
  #tellCounts(commands: GPUCommandEncoder): void {
    const { rows, control, resources } = this.run;
    rows.list.forEach((row, k) => {
      if (!row) return;
      const place = this.#placeOf(k);
      if (control) {
        const [first] = row.tensors;
        const { buffer, byteOffset } = control.recordSpan(first!.index);
        commands.copyBufferToBuffer(buffer, byteOffset, place, COUNT_OFFSET, 4);
      } else resources.device.queue.writeBuffer(place, COUNT_OFFSET, Uint32Array.of(row.count));
    });
  }
}

function slotOf({ layout }: GroupPart, average: string): string {
  return layout.averages.find(({ declaration }) => declaration.name === average)!.declaration.slot;
}

function noOtherWeights(call: string, run: Run): OptimizerError {
  return new OptimizerError(
    'invalid-config',
    `${call}: ${run.parts[0]!.group.rule.name} evaluates with the weights that it trains; leave the call out, or have an ` +
      'average taken: ema or swa.',
  );
}
