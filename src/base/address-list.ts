/** Lists of networks: which addresses a gateway serves. */
import { BlockList, isIP } from "node:net";

/** This machine: RFC 1122, 4291. */
export const loopbackNetworks = "127.0.0.0/8,::1/128";

export class AddressList {
  readonly #list = new BlockList();

  /** `text` is networks and addresses separated by commas; undefined if an entry is neither. */
  static parse(text: string): AddressList | undefined {
    const list = new AddressList();
    return text.split(",").every((entry) => list.#add(entry.trim())) ? list : undefined;
  }

  /** Whether an address is in one of the networks; an IPv4 address may be given in its IPv6 form. */
  has(address: string): boolean {
    const [bare = ""] = address.split("%");
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
    if (mapped !== undefined) return this.#list.check(mapped, "ipv4");
    const family = isIP(bare);
    return family !== 0 && this.#list.check(bare, family === 4 ? "ipv4" : "ipv6");
  }

  #add(entry: string): boolean {
    const match = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(entry);
    const family = isIP(match?.[1] ?? "");
    const addressBits = family === 4 ? 32 : 128;
    const prefixBits = Number(match?.[2] ?? addressBits);
    if (match === null || family === 0 || prefixBits > addressBits) return false;
    this.#list.addSubnet(match[1]!, prefixBits, family === 4 ? "ipv4" : "ipv6");
    return true;
  }
}

const loopback = AddressList.parse(loopbackNetworks)!;

/** Whether a host to listen on is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || loopback.has(host);
}
