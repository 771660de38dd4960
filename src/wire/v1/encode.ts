/** Encodes messages of protocol v1. */
import { Encoder } from "@msgpack/msgpack";
import { maxDataBytes } from "../../base/limits/v1.ts";
import { encodeData } from "./data.ts";
import { fromHex } from "./hex.ts";
import {
  type ClientMessage,
  followSources,
  listFilters,
  messageTypes,
  type Metadata,
  outcomes,
  type ServerMessage,
  type StreamInfo,
  streamStates,
  writeModes,
} from "./messages.ts";

const encoder = new Encoder();

/** Encodes a message, which must be within the limits of `messages.ts`. */
export function encodeMessage(message: ClientMessage | ServerMessage): Uint8Array<ArrayBuffer> {
  if (message.type === "DATA") return encodeData(message);
  return encoder.encode([messageTypes[message.type], ...fieldsOf(message)]);
}

type Controlling = Exclude<ClientMessage | ServerMessage, { type: "DATA" }>;

function fieldsOf(message: Controlling): unknown[] {
  switch (message.type) {
    case "HELLO":
      return [
        message.revision,
        message.name,
        message.connectionCredit,
        message.channelCredit,
        message.maxChannels,
        message.maxDataBytes,
        message.idleMs,
        ...trailing(message.token),
      ];
    case "PING":
    case "PONG":
      return [message.nonce];
    case "GOODBYE":
      return [message.deadlineMs];
    case "ERROR":
      return [message.channel, message.code, message.message, message.hint];
    case "CREDIT":
      return [message.channel, message.bytes];
    case "ACK":
      return [message.channel, message.written, message.durable];
    default:
      return [message.channel, ...channelFields(message)];
  }
}

type OnChannel = Exclude<
  Controlling,
  { type: "HELLO" | "PING" | "PONG" | "GOODBYE" | "ERROR" | "CREDIT" | "ACK" }
>;

function channelFields(message: OnChannel): unknown[] {
  switch (message.type) {
    case "WRITE":
      return [
        message.streamId,
        writeModes.indexOf(message.mode),
        metadataFields(message.metadata),
        ...trailing(message.size),
      ];
    case "READ":
      return [message.streamId, message.offset, message.length];
    case "FOLLOW":
      return [followSources.indexOf(message.source), message.name, message.offset];
    case "LIST":
      return [listFilters.indexOf(message.filter), message.after, message.limit];
    case "INFO":
    case "REMOVE":
      return [message.streamId];
    case "FINISH":
      return [message.size, ...trailing(digestField(message.sha256))];
    case "CLOSE":
      return [message.discard];
    case "OPENED":
      return [
        message.streamId,
        message.offset,
        message.size,
        metadataFields(message.metadata),
        ...trailing(digestField(message.sha256)),
      ];
    case "END":
      return [outcomes.indexOf(message.outcome), message.size, digestField(message.sha256)];
    case "STREAMS":
      return [message.streams.map(infoFields), message.next];
  }
}

/** The last element of a message, which an earlier revision does not have: left out if there is no value. */
function trailing<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function metadataFields({ contentType, format, tags }: Metadata): unknown[] {
  const formatFields = format === undefined ? null : [format.codec, format.sampleRate, format.channels];
  return [contentType, formatFields, tags];
}

function infoFields(info: StreamInfo): unknown[] {
  return [
    info.streamId,
    streamStates.indexOf(info.state),
    info.size,
    digestField(info.sha256),
    info.createdAt,
    info.updatedAt,
    info.finishedAt,
    metadataFields(info.metadata),
  ];
}

function digestField(sha256: string | undefined): Uint8Array | undefined {
  return sha256 === undefined ? undefined : fromHex(sha256);
}

/** How many of these streams, from the first on, fit into one STREAMS message; at least 1 if there is any. */
export function fittingStreams(streams: StreamInfo[]): number {
  let bytes = 0;
  for (const [index, info] of streams.entries()) {
    bytes += encoder.encodeSharedRef(infoFields(info)).length;
    // The rest of the message is far smaller than `maxMessageBytes - maxDataBytes`.
    if (bytes > maxDataBytes) return index;
  }
  return streams.length;
}
