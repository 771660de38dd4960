/**
 * The names of this server that a web page may use. DNS rebinding gives an attacker's name the address of this
 * server: the browser then takes its pages for ours. Only the Host header tells the two names apart.
 */
import { isIPv4, isIPv6 } from "node:net";

export interface Host {
  /** In lower case; an IPv6 address without its brackets. */
  name: string;
  /** Undefined: the default port of the scheme. */
  port: number | undefined;
}

const maxPort = 65_535;
const bracketed = /^\[([0-9a-f:.]+)\](?::(\d{1,5}))?$/;
const plain = /^([a-z0-9._-]+)(?::(\d{1,5}))?$/;

/**
 * A Host header (RFC 9110, section 7.2), or the part of an origin behind its scheme. Undefined if it is missing,
 * repeated or malformed; user names and IPv6 zones are malformed.
 */
export function parseHost(header: string | null): Host | undefined {
  const lower = (header ?? "").toLowerCase();
  const [, address, addressPort] = bracketed.exec(lower) ?? [];
  if (address !== undefined) return isIPv6(address) ? hostOf(address, addressPort) : undefined;
  const [, name, port] = plain.exec(lower) ?? [];
  return name === undefined ? undefined : hostOf(name, port);
}

function hostOf(name: string, port: string | undefined): Host | undefined {
  if (port === undefined) return { name, port: undefined };
  return Number(port) > maxPort ? undefined : { name, port: Number(port) };
}

const hostPattern = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** Host names, and patterns such as `*.example.com`, which stands for every name below `example.com`. */
export class HostNames {
  readonly #names = new Set<string>();
  /** With the leading dot. */
  readonly #suffixes: string[] = [];

  /** `text` is names and patterns separated by commas; undefined if an entry is neither. Empty text has none. */
  static parse(text: string): HostNames | undefined {
    const names = new HostNames();
    const entries = text.split(",").map((entry) => entry.trim().toLowerCase());
    return entries.filter(Boolean).every((entry) => names.#add(entry)) ? names : undefined;
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#suffixes.some((suffix) => name.endsWith(suffix));
  }

  #add(entry: string): boolean {
    if (!hostPattern.test(entry)) return false;
    if (entry.startsWith("*.")) this.#suffixes.push(entry.slice(1));
    else this.#names.add(entry);
    return true;
  }
}

/**
 * Whether a name can only mean this server: DNS rebinding can change neither an address nor a loopback name
 * (RFC 6761, section 6.3), and the operator vouches for the others.
 */
export function isOwnName(name: string, listenHost: string, allowed: HostNames): boolean {
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return isIPv4(name) || isIPv6(name) || name === listenHost.toLowerCase() || allowed.has(name);
}
