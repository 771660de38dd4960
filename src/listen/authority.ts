import { isSocketPath } from "./unix-socket.ts";

/** `host:port` as URLs write it (RFC 3986, section 3.2): an IPv6 address stands in brackets. `unix:` and the path of a socket. */
export function authorityOf(host: string, port: number): string {
  if (isSocketPath(host)) return `unix:${host}`;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
