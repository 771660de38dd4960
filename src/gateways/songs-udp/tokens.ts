/**
 * Stateless tokens that prove that a client receives datagrams at its address. Only this server can make a token, and it
 * sends it only to that address; the client has to return it.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { udpTokenMs } from "../../base/limits/songs.ts";
import { tokenBytes } from "../../wire/reliable-udp.ts";
import type { Peer } from "./transfer.ts";

/** The transfer that a token is for. */
export interface TokenTransfer {
  readonly id: bigint;
  /** How often the address of its client has changed. */
  readonly moves: number;
}

export class AddressTokens {
  readonly #secret = randomBytes(32);

  /**
   * `now` in milliseconds. The token is valid for one to two times `udpTokenMs`, and until the transfer moves to another
   * address: otherwise a late datagram from the old address could move it back.
   */
  issue(peer: Peer, transfer: TokenTransfer, now: number): Uint8Array {
    return this.#make(peer, transfer, slotOf(now));
  }

  isValid(token: Uint8Array, peer: Peer, transfer: TokenTransfer, now: number): boolean {
    const slot = slotOf(now);
    return [slot, slot - 1].some((each) => timingSafeEqual(token, this.#make(peer, transfer, each)));
  }

  #make({ address, port }: Peer, { id, moves }: TokenTransfer, slot: number): Uint8Array {
    const proof = createHmac("sha256", this.#secret);
    proof.update(`${slot} ${address} ${port} ${id} ${moves}`);
    return proof.digest().subarray(0, tokenBytes);
  }
}

function slotOf(now: number): number {
  return Math.floor(now / udpTokenMs);
}
