/** How long a page of the site may take for one thing, on a software adapter whose cores others use, too. */
export const PATIENCE_MS = 240_000;
