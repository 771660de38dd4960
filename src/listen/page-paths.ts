/**
 * The addresses of the page. They are open to everybody, because they hold nothing of the store, and pages of other
 * servers may link to them.
 */

/** The page at the root, a view of it, or something in a view, such as `/streams/ID`. */
const views = /^\/(?:(?:streams|recordings|library|devices)(?:\/.*)?|live|record|events|storage|access)?$/;
const assets = /^\/assets\/[\w.-]+$/;

/** Whether the page itself is served at this path. The page decides what it shows there. */
export function isPagePath(path: string): boolean {
  return views.test(path);
}

/** Whether this is the path of a script, a style or an image of the page. */
export function isPageAssetPath(path: string): boolean {
  return assets.test(path);
}
