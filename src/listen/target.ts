/**
 * The path and the query of a request, whatever its Host header says. Bun puts a malformed one into a URL that cannot
 * be parsed, or leaves it out; the target of a CONNECT has no path.
 */
export function targetOf({ url }: Request, basePath = ""): URL {
  const target = url.replace(/^https?:\/\/[^/]*/, "");
  const parsed = new URL(`http://localhost${target.startsWith("/") ? target : "/"}`);
  const { pathname } = parsed;
  if (basePath !== "" && `${pathname}/`.startsWith(`${basePath}/`)) {
    parsed.pathname = pathname.slice(basePath.length);
  }
  return parsed;
}
