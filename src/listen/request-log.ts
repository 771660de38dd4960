/** The log of HTTP requests: a line at debug for each answer. */
import type { Log } from "../base/log/log.ts";
import type { RequestContext } from "../base/request-context.ts";

/** Returns what logs the answer to this request. */
export function logAnswer(log: Log, { method, url }: Request, { requestId }: RequestContext) {
  const arrivedAt = performance.now();
  return ({ status }: Response): void => {
    const tookMs = Math.round(performance.now() - arrivedAt);
    log.debug("answered", { method, path: pathOf(url), status, tookMs, requestId });
  };
}

/** Without the query, which may have a credential. */
function pathOf(url: string): string {
  return url.replace(/^https?:\/\/[^/]*|\?.*$/g, "");
}
