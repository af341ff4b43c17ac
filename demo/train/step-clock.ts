/** Adds up the times of a run, so that pauses and compilation do not count as training steps. */
export class StepClock {
  private evaluationMs = 0;
  private firstMs = 0;
  private firstSteps = 0;
  private laterMs = 0;
  private laterSteps = 0;

  /** Counts the steps of one reporting interval. */
  addInterval(ms: number, steps: number): void {
    if (this.firstSteps === 0) {
      this.firstMs = ms;
      this.firstSteps = steps;
    } else {
      this.laterMs += ms;
      this.laterSteps += steps;
    }
  }

  /** Counts time that belongs to the run but to no step. */
  addEvaluation(ms: number): void {
    this.evaluationMs += ms;
  }

  /** Everything counted so far. */
  get totalMs(): number {
    return this.firstMs + this.laterMs + this.evaluationMs;
  }

  /** Mean step, without the first interval where there are others: there tfjs compiles its shaders. */
  get stepMs(): number {
    return this.laterSteps > 0 ? this.laterMs / this.laterSteps : this.firstMs / this.firstSteps;
  }
}
