/** Somewhere that the benchmark's page code runs; T is what it offers as `bench`. */
export interface Session<T> {
  /** Calls a method of the page's `bench` and returns its result. Any error in the page rejects. */
  call<K extends keyof T & string>(
    method: K,
    ...args: T[K] extends (...given: infer A) => unknown ? A : never
  ): Promise<T[K] extends (...given: never[]) => Promise<infer R> ? R : never>;
  /**
   * Milliseconds of CPU time used so far by the process that talks to the GPU. On a software adapter the kernels run
   * there, and unlike the time on the clock this hardly depends on what else the machine is doing.
   */
  gpuProcessCpuMs(): Promise<number>;
  close(): Promise<void>;
}
