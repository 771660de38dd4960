/** A channel of a connection, and what it may ask of the connection. */
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import type { ErrorCode } from "../../../base/errors.ts";
import type { SendCredit } from "../../../wire/v1/credit.ts";
import type { End, ServerMessage, StreamList } from "../../../wire/v1/messages.ts";
import type { Core, RangeReader } from "../core.ts";
import type { SendScheduler, Source } from "../send-scheduler.ts";

export interface Channel {
  readonly number: number;
  /** Where the client's credit goes; undefined if it sends no audio. */
  readonly source: Source | undefined;
  /** Begins with what it was opened for. Errors go to `ChannelHost.fail`. */
  open(): void;
  /** The client wants no more of it. */
  close(discard: boolean): void;
  /** The connection is gone. */
  gone(): void;
  /** A few times a second. */
  tick?(): void;
}

export interface ChannelHost {
  readonly core: Core;
  readonly reader: RangeReader;
  readonly scheduler: SendScheduler;
  readonly meter: GatewayMeter;
  /** The credit that a channel has to send with from its beginning. */
  firstCredit(): SendCredit;
  /** How many bytes a channel that is written may have on their way. */
  writingWindow(): number;
  send(message: ServerMessage): void;
  /** The last word about a channel: it is closed. Ignored if it was already. */
  end(channel: Channel, lastWord: End | StreamList): void;
  /** The same with ERROR. */
  fail(channel: Channel, error: unknown): void;
  /** The connection breaks the protocol, and ends. */
  fault(code: ErrorCode, reason?: string): void;
}
