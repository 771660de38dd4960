/**
 * Where a webhook may connect to. A name is resolved once for each request, and the request goes to that very address: a
 * name that resolves otherwise later (DNS rebinding) reaches nothing private.
 */
import { lookup } from "node:dns/promises";
import { AddressList } from "../../../base/address-list.ts";

/** Not on the public internet: RFC 6890 and its registries, with the forms of IPv6 that wrap an IPv4 address. */
const privateNetworks = AddressList.parse(
  "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24," +
    "192.168.0.0/16,198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/3," +
    "::/96,64:ff9b::/96,64:ff9b:1::/48,100::/64,2001::/23,2001:db8::/32,2002::/16,fc00::/7,fe80::/10,ff00::/8",
)!;

export interface Destination {
  address: string;
  family: 4 | 6;
}

export type Resolve = (host: string) => Promise<{ address: string; family: number }[]>;

const resolveAll: Resolve = (host) => lookup(host, { all: true });

/** Rejects if the host has no address that is public or in `allowed`. */
export async function destinationOf(
  host: string,
  allowed: AddressList | undefined,
  resolve: Resolve = resolveAll,
): Promise<Destination> {
  const found = await resolve(host.replace(/^\[(.*)\]$/, "$1"));
  const usable = found.find(({ address }) => !privateNetworks.has(address) || allowed?.has(address) === true);
  if (usable === undefined)
    throw new Error("the address of the receiver is private; --hook-allow permits it");
  return { address: usable.address, family: usable.family === 6 ? 6 : 4 };
}
