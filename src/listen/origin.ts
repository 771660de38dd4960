/**
 * The web pages that may use this server: its own, and those that the operator allows. A browser lets any page send
 * requests to any server, and open WebSockets and read their messages; only the headers tell whose page it is.
 */
import { authorityOf } from "./authority.ts";
import { type Host, parseHost } from "./host.ts";

/** What a browser says of the page that sends a request: headers that no page can set. */
export interface PageHeaders {
  /** `Origin` (RFC 6454, section 7); null if the request has none. */
  origin: string | null;
  /** `Sec-Fetch-Site`, `Sec-Fetch-Mode` and `Sec-Fetch-Dest` (W3C Fetch Metadata). */
  site: string | null;
  mode: string | null;
  destination: string | null;
}

export function pageHeadersOf(headers: Headers): PageHeaders {
  return {
    origin: headers.get("origin"),
    site: headers.get("sec-fetch-site"),
    mode: headers.get("sec-fetch-mode"),
    destination: headers.get("sec-fetch-dest"),
  };
}

const defaultPorts = { http: 80, https: 443 };
/** Origin of the WebSockets of local HTML files, and of some microcontroller libraries. */
const fileOrigin = "file://";

/** Origins of other servers whose pages may use this one. */
export class Origins {
  readonly #origins = new Set<string>();

  /** `text` is origins separated by commas; undefined if an entry is none. Empty text has none. */
  static parse(text: string): Origins | undefined {
    const origins = new Origins();
    const entries = text.split(",").map((entry) => entry.trim());
    return entries.filter(Boolean).every((entry) => origins.#add(entry)) ? origins : undefined;
  }

  has(origin: string): boolean {
    const normal = normalOrigin(origin);
    return normal !== undefined && this.#origins.has(normal);
  }

  #add(entry: string): boolean {
    const normal = normalOrigin(entry);
    if (normal === undefined) return false;
    this.#origins.add(normal);
    return true;
  }
}

/** The scheme of a listener, the name and port by which a request calls it, and the origins that it allows. */
export interface OriginRules {
  scheme: "http" | "https";
  host: Host | undefined;
  allowed: Origins;
}

/**
 * Whether a page of another server sends the request. Pages on other ports of this machine are foreign too, though
 * browsers call them "same-site". A request without any of the headers comes from a program, not from a browser.
 */
export function isForeign({ origin, site }: PageHeaders, rules: OriginRules): boolean {
  if (origin !== null) return !rules.allowed.has(origin) && !isOwn(origin, rules);
  // Browsers send no Origin with links, images and media elements.
  return site !== null && site !== "same-origin" && site !== "none";
}

/** Whether the user follows a link: the page that has the link learns nothing of the answer. */
export function isNavigation({ origin, mode, destination }: PageHeaders): boolean {
  return origin === null && mode === "navigate" && destination === "document";
}

/**
 * Whether a page that this server sent made the request, as its Origin says. Behind a proxy that speaks TLS the Origin is
 * https where the listener knows only http: then it must be allowed, too.
 */
export function isOfOwnPage(headers: Headers, scheme: "http" | "https", allowed: Origins): boolean {
  const origin = headers.get("origin");
  if (origin === null) return false;
  const host = parseHost(headers.get("host"));
  return isOwn(origin, { scheme, host }) || (allowed.has(origin) && isOwn(origin, { scheme: "https", host }));
}

function isOwn(origin: string, { scheme, host }: Pick<OriginRules, "scheme" | "host">): boolean {
  return host !== undefined && normalOrigin(origin) === originText(scheme, host);
}

/** In lower case and with its port; undefined for `null`, several origins and anything with a path. */
function normalOrigin(origin: string): string | undefined {
  if (origin === fileOrigin) return origin;
  const [, scheme, authority] = /^(https?):\/\/(.+)$/i.exec(origin) ?? [];
  const host = parseHost(authority ?? null);
  if (scheme === undefined || host === undefined) return undefined;
  return originText(scheme.toLowerCase() as "http" | "https", host);
}

function originText(scheme: "http" | "https", { name, port }: Host): string {
  return `${scheme}://${authorityOf(name, port ?? defaultPorts[scheme])}`;
}
