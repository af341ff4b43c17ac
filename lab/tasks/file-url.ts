/**
 * The address of a file that the site ships beside its pages, for a page one folder deep. The build is relative, so
 * that it works under any path; vite's server and the tests have the files at their root.
 */
export function fileUrl(name: string): string {
  const base = import.meta.env.BASE_URL;
  return `${base === './' ? '../' : base}${name}`;
}
