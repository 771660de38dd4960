/**
 * Sends datagrams on the shared socket. A datagram to a closed port comes back as an ICMP error. The kernel reports it on
 * the next call on the socket, whatever its destination: that call sends nothing and has to be repeated. On the same
 * host the error is immediate, so a batch to a closed port stops after each datagram. Several such stops in a row mean
 * that the client is gone.
 */
import { systemCode } from "../../base/errors.ts";
import type { Peer } from "./transfer.ts";

/** A Bun UDP socket. `packets` holds data, port and address of each datagram; returns how many it accepted. */
export interface BatchSocket {
  sendMany(packets: readonly (Uint8Array | number | string)[]): number;
}

/** `gone`: nothing listens on the client's port. `full`: the kernel accepts no more now. */
export interface Sent {
  count: number;
  state: "sent" | "full" | "gone";
}

/** A client is gone after this many stops in a row, each after one datagram. */
const maxStops = 5;
/** A batch with this many errors fails: they concern its own address, not earlier datagrams. */
const maxErrors = 16;
/** Errors that may belong to an earlier datagram to another client. */
const deferredErrors = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ECONNRESET"]);

export class Sender {
  readonly #socket: BatchSocket;

  constructor(socket: BatchSocket) {
    this.#socket = socket;
  }

  /** Throws the system's error for an address that cannot be sent to. */
  send({ address, port }: Peer, datagrams: readonly Uint8Array[]): Sent {
    let count = 0;
    let stops = 0;
    let errors = 0;
    while (count < datagrams.length) {
      const rest = datagrams.slice(count);
      try {
        const accepted = this.#socket.sendMany(rest.flatMap((datagram) => [datagram, port, address]));
        if (accepted === 0) return { count, state: "full" };
        count += accepted;
        stops = accepted === 1 && rest.length > 1 ? stops + 1 : 0;
        if (stops === maxStops) return { count, state: "gone" };
      } catch (error) {
        const code = systemCode(error) ?? "";
        if (code === "EAGAIN" || code === "ENOBUFS") return { count, state: "full" };
        errors += 1;
        if (!deferredErrors.has(code) || errors === maxErrors) throw error;
      }
    }
    return { count, state: "sent" };
  }
}
