/** Connection limits for servers of `node:net` and `node:tls`, which report a connection as soon as it is accepted. */
import type { Socket } from "node:net";
import type { ErrorCode } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";
import type { ConnectionLimit, ConnectionSlot } from "./connection-limit.ts";

/** What an accepted connection counts against. */
export interface SocketAdmission {
  /** The first one refuses first. */
  limits: readonly ConnectionLimit[];
  meter: GatewayMeter;
  log: Log;
}

/** The places of an accepted connection. */
export interface SocketSlot {
  /** The peer has sent its first request. */
  spoke(): void;
}

/** Takes a place in each limit until the socket closes. If one has none, ends the socket and returns undefined. */
export function admitSocket(socket: Socket, { limits, meter, log }: SocketAdmission): SocketSlot | undefined {
  // The address of a closed socket is unknown.
  const address = socket.remoteAddress ?? "";
  socket.on("error", (error) => log.debug("a connection failed", { address, error }));
  const end = (code: ErrorCode) => {
    meter.failed(code);
    log.debug("a connection was refused, or made room", { address, code });
    socket.destroy();
  };
  const slots: ConnectionSlot[] = [];
  for (const limit of limits) {
    const slot = limit.admit(address, end);
    if (typeof slot === "string") {
      for (const taken of slots) taken.release();
      end(slot);
      return undefined;
    }
    slots.push(slot);
  }
  socket.once("close", () => slots.forEach((slot) => slot.release()));
  return { spoke: () => slots.forEach((slot) => slot.spoke()) };
}
