/** Where the credential of an HTTP request stands, upgrades included. */
import { subprotocolPrefix } from "./token-text.ts";

/** What a peer sends to prove who it is. */
export interface Credentials {
  /** A token or a JWT. */
  secret?: string | undefined;
  /** A signed link. */
  link?: string | undefined;
  /** SHA-256 of the client's certificate, in lower-case hex. */
  certificate?: string | undefined;
  /** The cookie of a session. */
  session?: string | undefined;
}

export const sessionCookie = "wavecache_session";

/** Parameters of the query that hold a credential. */
const secretParameter = "token";
const linkParameter = "link";

/**
 * The first credential of a request, in this order: Authorization, the query, a subprotocol, a cookie. Removes it from
 * the URL, which is logged and checked for unknown parameters.
 */
export function takeCredentials(headers: Headers, url: URL): Credentials {
  const inQuery = takeFromQuery(url);
  const secret = secretOfHeader(headers.get("authorization")) ?? inQuery.secret ?? secretOfProtocols(headers);
  if (secret !== undefined) return { secret };
  if (inQuery.link !== undefined) return { link: inQuery.link };
  const session = cookieOf(headers, sessionCookie);
  return session === undefined ? {} : { session };
}

function takeFromQuery(url: URL): Credentials {
  // The search of a URL is kept as it was sent unless it must change.
  if (!/[?&](?:token|link)=/.test(url.search)) return {};
  const secret = url.searchParams.get(secretParameter) ?? undefined;
  const link = url.searchParams.get(linkParameter) ?? undefined;
  url.searchParams.delete(secretParameter);
  url.searchParams.delete(linkParameter);
  return { secret, link };
}

/**
 * Bearer (RFC 6750), or Basic (RFC 7617) with the token as the password, for programs that know only names and
 * passwords. Any other text is a credential too, which is wrong.
 */
export function secretOfHeader(header: string | null): string | undefined {
  if (header === null) return undefined;
  const [, scheme = "", value = ""] = /^(\S+) +(\S+) *$/.exec(header) ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return "";
  const [name = "", ...password] = Buffer.from(value, "base64").toString("utf8").split(":");
  return password.join(":") || name;
}

/** Browsers can send nothing else with a WebSocket: `token.` and the token in base64url. */
function secretOfProtocols(headers: Headers): string | undefined {
  const offered = headers.get("sec-websocket-protocol")?.split(",") ?? [];
  const found = offered.map((name) => name.trim()).find((name) => name.startsWith(subprotocolPrefix));
  if (found === undefined) return undefined;
  return Buffer.from(found.slice(subprotocolPrefix.length), "base64url").toString("utf8");
}

export function cookieOf(headers: Headers, name: string): string | undefined {
  const pairs = headers.get("cookie")?.split(";") ?? [];
  const found = pairs.map((pair) => pair.trim()).find((pair) => pair.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}
