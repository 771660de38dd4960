/**
 * Sends datagrams on the one socket of the door. A datagram to a port where nobody listens any more comes back as a
 * refusal, which the system reports at the next call on the socket, whomever that one is for: the call sends nothing and
 * is made again. On this machine the refusal is there at once, so a batch to a dead port stops after each datagram; a
 * few such stops in a row are no chance, and the client is gone.
 */
import { systemCode } from "../../base/errors.ts";
import type { Peer } from "./transfer.ts";

/** The part of a socket of Bun that is used: takes data, port and address of each datagram, and says how many it took. */
export interface BatchSocket {
  sendMany(packets: readonly (Uint8Array | number | string)[]): number;
}

/** `gone`: nobody is there. `full`: the system takes no more now. */
export interface Sent {
  count: number;
  state: "sent" | "full" | "gone";
}

/** Stops in a row, each after one datagram of a batch, that mean that nobody is there. */
const stopsOfTheGone = 5;
/** Errors that one batch may meet before it is its own address that they are about. */
const maxErrors = 16;
/** What the system may say of an earlier datagram to somebody else. */
const ofOthers = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ECONNRESET"]);

export class Sender {
  readonly #socket: BatchSocket;

  constructor(socket: BatchSocket) {
    this.#socket = socket;
  }

  /** Throws what the system says of an address that cannot be sent to. */
  send({ address, port }: Peer, datagrams: readonly Uint8Array[]): Sent {
    let count = 0;
    let stops = 0;
    let errors = 0;
    while (count < datagrams.length) {
      const rest = datagrams.slice(count);
      try {
        const taken = this.#socket.sendMany(rest.flatMap((datagram) => [datagram, port, address]));
        if (taken === 0) return { count, state: "full" };
        count += taken;
        stops = taken === 1 && rest.length > 1 ? stops + 1 : 0;
        if (stops === stopsOfTheGone) return { count, state: "gone" };
      } catch (error) {
        const code = systemCode(error) ?? "";
        if (code === "EAGAIN" || code === "ENOBUFS") return { count, state: "full" };
        errors += 1;
        if (!ofOthers.has(code) || errors === maxErrors) throw error;
      }
    }
    return { count, state: "sent" };
  }
}
