/**
 * Stateless tokens that prove that a client receives datagrams at its address. Only this server can make a token, and it
 * sends it only to that address; the client has to return it.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { udpTokenMs } from "../../base/limits/songs.ts";
import { tokenBytes } from "../../wire/reliable-udp.ts";
import type { Peer } from "./transfer.ts";

export class AddressTokens {
  readonly #secret = randomBytes(32);

  /** `now` in milliseconds. The token is valid for one to two times `udpTokenMs`. */
  issue(peer: Peer, transfer: bigint, now: number): Uint8Array {
    return this.#make(peer, transfer, slotOf(now));
  }

  isValid(token: Uint8Array, peer: Peer, transfer: bigint, now: number): boolean {
    const slot = slotOf(now);
    return [slot, slot - 1].some((each) => timingSafeEqual(token, this.#make(peer, transfer, each)));
  }

  #make(peer: Peer, transfer: bigint, slot: number): Uint8Array {
    const proof = createHmac("sha256", this.#secret);
    proof.update(`${slot} ${peer.address} ${peer.port} ${transfer}`);
    return proof.digest().subarray(0, tokenBytes);
  }
}

function slotOf(now: number): number {
  return Math.floor(now / udpTokenMs);
}
