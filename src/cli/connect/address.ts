/** Parses `HOST[:PORT]`: the host is a name, an IPv4 address, or an IPv6 address in brackets. */
import { usageError } from "../kit/failures.ts";

export interface Address {
  host: string;
  port: number;
}

/** Throws a CliError that names the option. */
export function parseAddress(option: string, text: string, defaultPort: number): Address {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]/\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  if (host !== undefined && port >= 1 && port <= 65535) return { host, port };
  throw usageError(`--${option} is no address: "${text}"`, `give it like localhost:${defaultPort}`);
}
