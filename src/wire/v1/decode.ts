/** Decodes messages of protocol v1. Returns a value for any bytes and never throws. */
import { DecodeError, Decoder } from "@msgpack/msgpack";
import { maxJwtChars } from "../../base/limits/access.ts";
import { maxStreamIdChars, maxTagsChars } from "../../base/limits/streams.ts";
import {
  maxChannels,
  maxCreditBytes,
  maxDataBytes,
  maxErrorTextChars,
  maxListedOnChannel,
  maxMessageBytes,
  maxPeerNameChars,
} from "../../base/limits/v1.ts";
import { decodeCredit, decodeData, looksLikeData } from "./data.ts";
import { isShallow } from "./depth.ts";
import { infoOf, metadataOf } from "./descriptions.ts";
import { BadField, Fields } from "./fields.ts";
import {
  type ClientMessage,
  connectionChannel,
  type Credit,
  type Data,
  followSources,
  listFilters,
  type Malformed,
  messageTypes,
  outcomes,
  type ServerMessage,
  type Unknown,
  writeModes,
} from "./messages.ts";

/** Levels of STREAMS, its list, a stream, its metadata and the tags; and two more for later revisions. */
const maxDepth = 7;
const maxTypeNumber = 127;
const maxU32 = 2 ** 32 - 1;

const decoder = new Decoder({
  maxStrLength: 4 * maxTagsChars,
  maxBinLength: maxDataBytes,
  maxArrayLength: maxChannels,
  maxMapLength: maxChannels,
  maxExtLength: 0,
});

type TypeName = keyof typeof messageTypes;
const names = new Map<unknown, TypeName>(
  Object.entries(messageTypes).map(([name, number]) => [number, name as TypeName]),
);
/** Messages that open a channel. If one is malformed behind the channel number, only that channel fails. */
const opening = new Set<TypeName>(["WRITE", "READ", "FOLLOW", "LIST", "INFO", "REMOVE"]);

/** Decodes a message from a client. The payload of DATA is a view into `frame`. */
export function decodeClientMessage(frame: Uint8Array): ClientMessage | Unknown | Malformed {
  const message = decodeWith(frame, clientMessage);
  if (message.type === "DATA" && message.crc === undefined) return malformed("DATA: CRC is missing");
  return message;
}

/** Decodes a message from a server. The payload of DATA is a view into `frame`. */
export function decodeServerMessage(frame: Uint8Array): ServerMessage | Unknown | Malformed {
  return decodeWith(frame, serverMessage);
}

type Build<Message> = (name: TypeName, fields: Fields) => Message | undefined;

function decodeWith<Message>(
  frame: Uint8Array,
  build: Build<Message>,
): Message | Credit | Data | Unknown | Malformed {
  if (looksLikeData(frame)) return decodeData(frame) ?? malformed("DATA: a field is malformed");
  const credit = decodeCredit(frame);
  if (credit !== undefined) return credit;
  const elements = elementsOf(frame);
  if (elements === undefined) return malformed("not one MessagePack array within the limits");
  const number = elements[0];
  if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number > maxTypeNumber) {
    return malformed("the first element is not a message type");
  }
  const name = names.get(number);
  if (name === undefined) return { type: "UNKNOWN", number };
  try {
    return build(name, new Fields(elements, 1)) ?? malformed(`${name} is a message of the other side`);
  } catch (error) {
    if (!(error instanceof BadField)) throw error;
    return malformed(`${name}: ${error.message}`, opening.has(name) ? channelIn(elements) : undefined);
  }
}

function elementsOf(frame: Uint8Array): unknown[] | undefined {
  if (frame.length > maxMessageBytes || !isShallow(frame, maxDepth)) return undefined;
  try {
    const value: unknown = decoder.decode(frame);
    return Array.isArray(value) ? value : undefined;
  } catch (error) {
    // The decoder throws these if a value exceeds its limits, or if bytes follow the array.
    if (error instanceof DecodeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The channel number of an opening message; undefined if that is malformed too. */
function channelIn(elements: unknown[]): number | undefined {
  try {
    return new Fields(elements, 1).channel();
  } catch (error) {
    if (error instanceof BadField) return undefined;
    throw error;
  }
}

function malformed(reason: string, channel = connectionChannel): Malformed {
  return { type: "MALFORMED", channel, reason };
}

/** A message of a client; undefined if only servers send this type. */
function clientMessage(type: TypeName, fields: Fields): ClientMessage | undefined {
  switch (type) {
    case "WRITE":
      return writeOf(fields);
    case "READ":
      return {
        type,
        channel: fields.channel(),
        streamId: streamIdOf(fields),
        offset: fields.whole("offset"),
        length: fields.optional(() => fields.whole("length", 1)),
      };
    case "FOLLOW":
      return followOf(fields);
    case "LIST":
      return {
        type,
        channel: fields.channel(),
        filter: fields.choice("filter", listFilters),
        after: fields.text("after", 0, maxStreamIdChars),
        limit: fields.whole("limit", 1, maxListedOnChannel),
      };
    case "INFO":
    case "REMOVE":
      return { type, channel: fields.channel(), streamId: streamIdOf(fields) };
    case "FINISH":
      return {
        type,
        channel: fields.channel(),
        size: fields.whole("size"),
        sha256: fields.appended(() => fields.sha256()),
      };
    case "CLOSE":
      return { type, channel: fields.channel(), discard: fields.flag("discard") };
    default:
      return commonMessage(type, fields);
  }
}

/** A message of a server; undefined if only clients send this type. */
function serverMessage(type: TypeName, fields: Fields): ServerMessage | undefined {
  switch (type) {
    case "GOODBYE":
      return { type, deadlineMs: fields.whole("deadline", 0, maxU32) };
    case "ACK":
      return ackOf(fields);
    case "OPENED":
      return {
        type,
        channel: fields.channel(),
        streamId: streamIdOf(fields),
        offset: fields.whole("offset"),
        size: fields.optional(() => fields.whole("size")),
        metadata: metadataOf(fields),
        sha256: fields.appended(() => fields.sha256()),
      };
    case "END":
      return {
        type,
        channel: fields.channel(),
        outcome: fields.choice("outcome", outcomes),
        size: fields.whole("size"),
        sha256: fields.optional(() => fields.sha256()),
      };
    case "STREAMS":
      return {
        type,
        channel: fields.channel(),
        streams: fields.list("streams", maxListedOnChannel).map(infoOf),
        next: fields.optional(() => fields.text("next", 1, maxStreamIdChars)),
      };
    default:
      return commonMessage(type, fields);
  }
}

type Common = Extract<ClientMessage, { type: "HELLO" | "PING" | "PONG" | "ERROR" | "DATA" | "CREDIT" }>;

function commonMessage(type: TypeName, fields: Fields): Common | undefined {
  switch (type) {
    case "HELLO":
      return {
        type,
        revision: fields.whole("revision", 1, maxU32),
        name: fields.text("name", 0, maxPeerNameChars),
        connectionCredit: fields.whole("credit of the connection", 0, maxCreditBytes),
        channelCredit: fields.whole("credit of a channel", 0, maxCreditBytes),
        maxChannels: fields.whole("number of channels", 0, maxChannels),
        maxDataBytes: fields.whole("size of data", 1, maxDataBytes),
        idleMs: fields.whole("idle time", 0, maxU32),
        token: fields.appended(() => fields.text("token", 1, maxJwtChars)),
      };
    case "PING":
    case "PONG":
      return { type, nonce: fields.whole("number", 0, maxU32) };
    case "ERROR":
      return {
        type,
        channel: fields.channel(connectionChannel),
        code: fields.text("code", 1, maxErrorTextChars),
        message: fields.text("message", 0, maxErrorTextChars),
        hint: fields.text("hint", 0, maxErrorTextChars),
      };
    case "CREDIT":
      return {
        type,
        channel: fields.channel(connectionChannel),
        bytes: fields.whole("credit", 1, maxCreditBytes),
      };
    case "DATA":
      return {
        type,
        channel: fields.channel(),
        offset: fields.whole("offset"),
        crc: fields.optional(() => fields.whole("CRC", 0, maxU32)),
        payload: fields.bytes("payload", 1, maxDataBytes),
      };
    default:
      return undefined;
  }
}

function writeOf(fields: Fields): ClientMessage {
  const channel = fields.channel();
  const streamId = fields.optional(streamIdOf);
  const mode = fields.choice("mode", writeModes);
  if (mode !== "create" && streamId === undefined) throw new BadField(`the stream to ${mode} is missing`);
  const metadata = metadataOf(fields);
  const size = fields.appended(() => fields.whole("size"));
  return { type: "WRITE", channel, streamId, mode, metadata, size };
}

function followOf(fields: Fields): ClientMessage {
  const channel = fields.channel();
  const source = fields.choice("source", followSources);
  const name = fields.text("name", 1, maxStreamIdChars);
  const offset = fields.optional(() => fields.whole("offset"));
  if (source === "recording" && offset !== undefined) {
    throw new BadField("a recording cannot be followed from an offset");
  }
  return { type: "FOLLOW", channel, source, name, offset };
}

function ackOf(fields: Fields): ServerMessage {
  const channel = fields.channel();
  const written = fields.whole("written bytes");
  return { type: "ACK", channel, written, durable: fields.whole("durable bytes", 0, written) };
}

function streamIdOf(fields: Fields): string {
  return fields.text("stream id", 1, maxStreamIdChars);
}
