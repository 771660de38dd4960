/**
 * The client behind reverse proxies that this server trusts, by `X-Forwarded-For` and `X-Forwarded-Proto`. Each proxy
 * appends the address that it was reached from, so the header is read from its end: the first address there that is no
 * trusted proxy is the client. Everything before it is what the client has said itself.
 */
import { isIP } from "node:net";
import type { AddressList } from "../base/address-list.ts";

export class TrustedProxies {
  readonly #networks: AddressList | undefined;

  /** Undefined trusts none. */
  constructor(networks: AddressList | undefined) {
    this.#networks = networks;
  }

  /** The address of the client, which is `peer` itself unless that is a trusted proxy. */
  clientOf(peer: string, headers: Headers): string {
    if (!this.#trusts(peer)) return peer;
    let client = peer;
    const hops = (headers.get("x-forwarded-for") ?? "").split(",").toReversed();
    for (const hop of hops) {
      const address = addressOf(hop.trim());
      // A proxy has not written this: who is before it is unknown.
      if (address === undefined) return client;
      client = address;
      if (!this.#trusts(client)) return client;
    }
    return client;
  }

  /** Whether a trusted proxy was reached by HTTPS. */
  isSecure(peer: string, headers: Headers): boolean {
    if (!this.#trusts(peer)) return false;
    return headers.get("x-forwarded-proto")?.split(",").at(-1)?.trim().toLowerCase() === "https";
  }

  #trusts(address: string): boolean {
    return this.#networks?.has(address) === true;
  }
}

/** Some proxies add the port: `10.0.0.7:4711`, `[2001:db8::7]:4711`. */
function addressOf(hop: string): string | undefined {
  if (isIP(hop) !== 0) return hop;
  const [, bracketed, bare] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::\d{1,5})?$/.exec(hop) ?? [];
  const address = bracketed ?? bare ?? "";
  return isIP(address) === 0 ? undefined : address;
}
