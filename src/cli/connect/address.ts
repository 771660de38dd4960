/** Addresses of servers as users type them: `HOST[:PORT]`, or URLs. */
import { usageError } from "../kit/failures.ts";

export interface Address {
  host: string;
  port: number;
}

/**
 * Parses `HOST[:PORT]`: the host is a name, an IPv4 address, or an IPv6 address in brackets. Throws a CliError that names
 * the option.
 */
export function parseAddress(option: string, text: string, defaultPort: number): Address {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host !== undefined && port >= 1 && port <= 65535) return { host, port };
  throw usageError(`--${option} is no address: "${text}"`, `give it like localhost:${defaultPort}`);
}

/**
 * The WebSocket address of a server: `ws://` and `wss://` as they are, `http://` and `https://` with the same host, and
 * `HOST[:PORT]`. Where the path is missing, it is `path`. Throws a CliError that names the option.
 */
export function webSocketUrl(option: string, text: string, defaultPort: number, path: string): string {
  if (/^wss?:\/\//i.test(text)) return text;
  const http = /^http(s?):\/\//i.exec(text);
  if (http !== null && URL.canParse(text)) {
    const url = new URL(text);
    const isBare = url.pathname === "/" && url.search === "";
    return `ws${http[1]!.toLowerCase()}://${url.host}${isBare ? path : url.pathname + url.search}`;
  }
  const { host, port } = parseAddress(option, text, defaultPort);
  return `ws://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
}
