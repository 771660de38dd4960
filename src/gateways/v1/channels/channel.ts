/** A channel of a connection, and what the connection offers its channels. */
import type { Principal } from "../../../access/principal.ts";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import type { ErrorCode } from "../../../base/errors.ts";
import type { RequestContext } from "../../../base/request-context.ts";
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { End, ServerMessage, StreamList } from "../../../wire/v1/messages.ts";
import type { LiveRecordings, RangeReader, Streams } from "../dependencies.ts";
import type { AudioSource, SendScheduler } from "../send-scheduler.ts";

export interface Channel {
  readonly number: number;
  /** Gets the client's credit. Undefined on a channel that sends no audio. */
  readonly source: AudioSource | undefined;
  /** Starts the channel's work. Errors go to `ChannelHost.fail`. */
  open(): void;
  /** The client closes the channel. */
  close(discard: boolean): void;
  /** The channel or its connection is closed: release everything, send nothing. */
  gone(): void;
  /** Runs a few times a second. */
  tick?(): void;
}

export interface ChannelHost {
  readonly streams: Streams;
  readonly recordings: LiveRecordings;
  readonly reader: RangeReader;
  readonly scheduler: SendScheduler;
  readonly meter: GatewayMeter;
  /** Who the client is. A channel compares its grants when it opens. */
  readonly principal: Principal;
  /** Of the connection. */
  readonly context: RequestContext;
  /** Of the client: it gets nothing that a later revision defines. */
  readonly peerRevision: number;
  /** The send credit that a new channel starts with. */
  firstCredit(): SendCredit;
  /** The receive window of one upload channel, in bytes. */
  uploadWindow(): number;
  send(message: ServerMessage): void;
  /** Closes the channel with its last message. Does nothing if the channel is closed already. */
  end(channel: Channel, lastMessage: End | StreamList): void;
  /** Closes the channel with ERROR. */
  fail(channel: Channel, error: unknown): void;
  /** The peer broke the protocol: ends the connection. */
  fault(code: ErrorCode, reason?: string): void;
}
