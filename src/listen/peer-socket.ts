/** A WebSocket of Bun as the socket of a peer. */
import type { ServerWebSocket } from "bun";
import type { PeerSocket } from "./connections/peer.ts";

export function toPeerSocket(socket: ServerWebSocket<unknown>): PeerSocket {
  return {
    address: socket.remoteAddress,
    send: (message) => {
      const sent = socket.send(message);
      if (sent > 0) return "sent";
      // Bun returns the bytes of the payload, which are 0 for an empty frame too.
      if (sent === 0)
        return message.length === 0 && socket.readyState === WebSocket.OPEN ? "sent" : "dropped";
      return "queued";
    },
    bufferedBytes: () => socket.getBufferedAmount(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    ping: () => void socket.ping(),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}
