import { showProblem } from './problem.js';

type Control = HTMLSelectElement | HTMLInputElement;

/**
 * Chooses what the page's address says. A wrong address is told, and the page is as without one.
 *
 * @param choose puts what an address wants into the form; throws where there is no such thing.
 * @returns the address, or an empty one in place of a wrong one.
 */
export function chooseByAddress(choose: (wanted: URLSearchParams) => void): URLSearchParams {
  const wanted = new URLSearchParams(location.search);
  try {
    choose(wanted);
    return wanted;
  } catch (error) {
    showProblem(error);
    const nothing = new URLSearchParams();
    choose(nothing);
    return nothing;
  }
}

/**
 * Gives a control the value that an address has under the control's name.
 *
 * @param fallback where the address does not say.
 * @throws Error if the control does not take it.
 */
export function setControl(control: Control, wanted: URLSearchParams, fallback: string): void {
  const { name } = control;
  const text = wanted.get(name);
  control.value = text ?? fallback;
  if (text === null || (control.value !== '' && control.checkValidity())) return;
  throw new Error(`The address says ${name}=${text}; give ${rangeOf(control)}.`);
}

function rangeOf(control: Control): string {
  return control instanceof HTMLSelectElement
    ? `one of ${Array.from(control.options, ({ value }) => value).join(', ')}`
    : `a whole number from ${control.min} to ${control.max}`;
}

/** Writes what is chosen in a form into the page's address, so that it can be shared; `start`, which an address may have, goes with a change. */
export function keepInAddress(form: HTMLFormElement, read: () => Record<string, string>): void {
  const write = (event: Event): void => {
    const query = new URLSearchParams(read());
    const starts = event.type === 'submit' && new URLSearchParams(location.search).has('start');
    history.replaceState(null, '', `?${query}${starts ? '&start' : ''}`);
  };
  for (const event of ['change', 'submit']) form.addEventListener(event, write);
}
