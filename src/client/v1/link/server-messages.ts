/** The client's HELLO, and the server's messages out of its WebSocket frames. */
import {
  initialChannelCreditBytes,
  initialConnectionCreditBytes,
  maxDataBytes,
  messageIdleTimeoutMs,
} from "../../../base/limits/v1.ts";
import { decodeServerMessage } from "../../../wire/v1/decode.ts";
import { type Hello, revision, type ServerMessage } from "../../../wire/v1/messages.ts";
import type { SocketFrame } from "../../transport/connection.ts";
import { ClientError } from "../../errors.ts";
import { refusalOf } from "../refusals.ts";

export function clientHello(name: string, token: string | undefined): Hello {
  return {
    type: "HELLO",
    revision,
    name,
    connectionCredit: initialConnectionCreditBytes,
    channelCredit: initialChannelCreditBytes,
    maxChannels: 0,
    maxDataBytes,
    idleMs: messageIdleTimeoutMs,
    token,
  };
}

/** The server's HELLO. Throws its ERROR, or OTHER_PROTOCOL for any other first frame. */
export function serverHelloOf(frame: SocketFrame): Hello {
  const message = typeof frame === "string" ? undefined : decodeServerMessage(frame);
  if (message?.type === "HELLO") return message;
  if (message?.type === "ERROR") throw refusalOf(message);
  throw new ClientError("OTHER_PROTOCOL", "it sends no HELLO");
}

/** The message in a frame; undefined for a type of a later revision. Throws UNEXPECTED for anything else. */
export function serverMessageOf(frame: SocketFrame): ServerMessage | undefined {
  if (typeof frame === "string") throw new ClientError("UNEXPECTED", "a text frame");
  const message = decodeServerMessage(frame);
  if (message.type === "MALFORMED") throw new ClientError("UNEXPECTED", message.reason);
  return message.type === "UNKNOWN" ? undefined : message;
}
