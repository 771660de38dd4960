import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { portableCrc32 } from "./crc32.ts";
import { decodeClientMessage, decodeServerMessage } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { fromHex, toHex } from "./hex.ts";
import { type ClientMessage, messageTypes, type Metadata, type ServerMessage } from "./messages.ts";

const digits = new TextEncoder().encode("123456789");
const crc = portableCrc32(digits);
const none: Metadata = { contentType: undefined, format: undefined, tags: {} };
const song: Metadata = {
  contentType: "audio/wav",
  format: { codec: "pcm_s16le", sampleRate: 48_000, channels: 2 },
  tags: { title: "Été" },
};
/** Of the nine digits. */
const sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
const times = { createdAt: 1_700_000_000_000, updatedAt: 1_700_000_000_500, finishedAt: undefined };
const hello = {
  type: "HELLO",
  revision: 2,
  name: "x",
  connectionCredit: 16_777_216,
  channelCredit: 65_536,
  maxChannels: 1024,
  maxDataBytes: 262_144,
  idleMs: 60_000,
} as const;

/** The messages of the examples in docs/protocol.md, in their order. */
const examples: (ClientMessage | ServerMessage)[] = [
  hello,
  { type: "PING", nonce: 7 },
  { type: "PONG", nonce: 7 },
  { type: "GOODBYE", deadlineMs: 8000 },
  { type: "ERROR", channel: 3, code: "NO_DATA", message: "no data there", hint: "" },
  { type: "DATA", channel: 1, offset: 0, crc, payload: digits },
  { type: "DATA", channel: 2, offset: Number.MAX_SAFE_INTEGER, crc: undefined, payload: digits },
  { type: "CREDIT", channel: 0, bytes: 65_536 },
  { type: "ACK", channel: 1, written: 5_000_000_000, durable: 9 },
  { type: "WRITE", channel: 1, streamId: "a", mode: "create", metadata: song },
  { type: "WRITE", channel: 1, streamId: undefined, mode: "create", metadata: none },
  { type: "WRITE", channel: 300, streamId: "a", mode: "resume", metadata: none },
  { type: "WRITE", channel: 1, streamId: "a", mode: "restart", metadata: none, size: 9 },
  { type: "READ", channel: 2, streamId: "a", offset: 0, length: undefined },
  { type: "READ", channel: 2, streamId: "a", offset: 4, length: 5 },
  { type: "FOLLOW", channel: 4, source: "stream", name: "a", offset: 0 },
  { type: "FOLLOW", channel: 4, source: "recording", name: "kitchen", offset: undefined },
  { type: "LIST", channel: 5, filter: "finished", after: "", limit: 100 },
  { type: "INFO", channel: 5, streamId: "a" },
  { type: "REMOVE", channel: 5, streamId: "a" },
  { type: "FINISH", channel: 1, size: 9 },
  { type: "FINISH", channel: 1, size: 9, sha256 },
  { type: "CLOSE", channel: 1, discard: true },
  { type: "OPENED", channel: 1, streamId: "a", offset: 0, size: undefined, metadata: song },
  { type: "OPENED", channel: 1, streamId: "a", offset: 9, size: undefined, metadata: none, sha256 },
  { type: "END", channel: 1, outcome: "finished", size: 9, sha256 },
  { type: "END", channel: 4, outcome: "ended", size: 9, sha256: undefined },
  {
    type: "STREAMS",
    channel: 5,
    streams: [{ streamId: "a", state: "unfinished", size: 9, sha256: undefined, ...times, metadata: none }],
    next: "a",
  },
];

const document = readFileSync(join(import.meta.dir, "../../../docs/protocol.md"), "utf8");
const written = Array.from(document.matchAll(/^ {4}([A-Z]+) +((?:[0-9a-f]{2})+)$/gm), ([, name, hex]) => ({
  name: name!,
  hex: hex!,
}));

test("the documentation has the bytes of these messages, and an example of every type", () => {
  expect(written).toEqual(
    examples.map((message) => ({ name: message.type, hex: toHex(encodeMessage(message)) })),
  );
  expect([...new Set(written.map(({ name }) => name))].toSorted()).toEqual(
    Object.keys(messageTypes).toSorted(),
  );
});

test("its bytes decode to these messages, but not at the side that sends them", () => {
  expect(written.length).toBe(examples.length);
  for (const [index, { hex }] of written.entries()) {
    const read = [decodeClientMessage(fromHex(hex)), decodeServerMessage(fromHex(hex))];
    expect(read).toContainEqual(examples[index]!);
    for (const message of read) {
      if (message.type !== "MALFORMED") expect(message).toEqual(examples[index]!);
    }
  }
});

test("its table has the number of every type", () => {
  const rows = Array.from(document.matchAll(/^\| (\d+) +\| ([A-Z]+) +\|/gm), ([, number, name]) => [
    name,
    Number(number),
  ]);
  expect(Object.fromEntries(rows)).toEqual({ ...messageTypes });
});
