import { idleTimeoutSeconds, maxFrameBytes, webSocketBufferBytes } from "./limits/connections.ts";

/** How Bun is to serve WebSockets, on whichever thread. No pings of its own: clients of the old protocol break on them. */
export const webSocketSettings = {
  perMessageDeflate: false,
  sendPings: false,
  idleTimeout: idleTimeoutSeconds,
  maxPayloadLength: maxFrameBytes,
  backpressureLimit: webSocketBufferBytes,
  closeOnBackpressureLimit: false,
};
