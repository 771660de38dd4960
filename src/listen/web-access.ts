/**
 * Decides before routing whether a browser may have its request: a page of another server may use nothing of this
 * one, neither by its own name nor by a name that DNS rebinding gave this server. Programs are not concerned: whoever
 * runs a program can send any header.
 */
import type { ErrorCode } from "../base/errors.ts";
import { type HostNames, isOwnName, parseHost } from "./host.ts";
import { isUpgrade } from "./handshake.ts";
import { isForeign, isNavigation, type Origins, pageHeadersOf } from "./origin.ts";
import { isPagePath } from "./page-paths.ts";

export interface WebAccess {
  scheme: "http" | "https";
  /** The host that the listener was given: its name is allowed. */
  listenHost: string;
  hosts: HostNames;
  origins: Origins;
}

/** Answers of these paths say only whether the server runs. */
const healthPaths: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);
export function isHealthPath(path: string): boolean {
  return healthPaths.has(path);
}

/** Why a request is refused; undefined if it is not. */
export function webRefusal(
  request: Pick<Request, "headers" | "method">,
  path: string,
  access: WebAccess,
): ErrorCode | undefined {
  const { headers, method } = request;
  const page = pageHeadersOf(headers);
  const hostHeader = headers.get("host");
  // Load balancers ask by HTTP/1.0 without a Host, browsers never do.
  if (hostHeader === null && isHealthPath(path)) return undefined;
  const host = parseHost(hostHeader);
  // Browsers send an Origin with every WebSocket handshake. Old devices send none, and any text as Host.
  if (!isUpgrade(headers) || page.origin !== null) {
    if (host === undefined) return "BAD_HOST";
    if (!isOwnName(host.name, access.listenHost, access.hosts)) return "HOST_REFUSED";
  }
  if (healthPaths.has(path)) return undefined;
  if (!isForeign(page, { scheme: access.scheme, host, allowed: access.origins })) return undefined;
  return isNavigation(page) && method === "GET" && isPagePath(path) ? undefined : "FOREIGN_ORIGIN";
}
