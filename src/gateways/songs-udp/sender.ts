/**
 * Sends datagrams on the one socket of the door. A datagram to a port where nobody listens any more comes back as a
 * refusal, which the system reports at the next call on the socket, whomever that one is for: the call sends nothing and
 * is made again. On this machine the refusal is there at once, so a batch to a dead port stops after each datagram; a
 * few such stops in a row are no chance, and the client is gone.
 */
import type { udp } from "bun";
import { systemCode } from "../../base/errors.ts";
import type { Peer } from "./transfer.ts";

/** `gone`: nobody is there. `full`: the system takes no more now. */
export interface Sent {
  count: number;
  state: "sent" | "full" | "gone";
}

/** Stops in a row, each after one datagram of a batch, that mean that nobody is there. */
const stopsOfTheGone = 5;
/** Refusals of others that one batch may meet. */
const maxRefusals = 16;

export class Sender {
  readonly #socket: udp.Socket<"uint8array">;

  constructor(socket: udp.Socket<"uint8array">) {
    this.#socket = socket;
  }

  /** Throws what the system says of an address that cannot be sent to. */
  send({ address, port }: Peer, datagrams: readonly Uint8Array[]): Sent {
    let count = 0;
    let stops = 0;
    for (let refusals = 0; count < datagrams.length && refusals < maxRefusals;) {
      const rest = datagrams.slice(count);
      const taken = this.#try(rest.flatMap((datagram) => [datagram, port, address]));
      if (taken === "refused") refusals += 1;
      else if (taken === 0) return { count, state: "full" };
      else {
        count += taken;
        stops = taken === 1 && rest.length > 1 ? stops + 1 : 0;
        if (stops === stopsOfTheGone) return { count, state: "gone" };
      }
    }
    return { count, state: count < datagrams.length ? "full" : "sent" };
  }

  #try(batch: (Uint8Array | number | string)[]): number | "refused" {
    try {
      return this.#socket.sendMany(batch);
    } catch (error) {
      const code = systemCode(error);
      if (code === "ECONNREFUSED") return "refused";
      if (code === "EAGAIN" || code === "ENOBUFS") return 0;
      throw error;
    }
  }
}
