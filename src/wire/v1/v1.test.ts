import { decode, encode } from "@msgpack/msgpack";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  maxCreditBytes,
  maxDataBytes,
  maxListedOnChannel,
  maxMessageBytes,
  streamQuantumBytes,
  usualDataBytes,
} from "../../base/limits/v1.ts";
import { dataHeadBytes, encodeData, plainDataHeadBytes, writeDataHead } from "./data.ts";
import { decodeClientMessage, decodeServerMessage } from "./decode.ts";
import { encodeMessage, fittingStreams } from "./encode.ts";
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

const channel = fc.integer({ min: 1, max: 65_535 });
const anyChannel = fc.integer({ min: 0, max: 65_535 });
const size = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const credit = fc.integer({ min: 1, max: maxCreditBytes });
const streamId = fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/);
const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const text = fc.string({ maxLength: 60, unit: "grapheme" });
const payload = fc.uint8Array({ minLength: 1, maxLength: 700, size: "max" });
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const tags: fc.Arbitrary<Record<string, string>> = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/), text), {
    maxLength: 20,
    selector: ([key]) => key,
  })
  .map((pairs) => Object.fromEntries(pairs));
const metadata: fc.Arbitrary<Metadata> = fc.record({
  contentType: optional(fc.constantFrom("audio/wav", "a", "x".repeat(128))),
  format: optional(
    fc.record({
      codec: fc.constantFrom("pcm_s16le", "opus"),
      sampleRate: fc.integer({ min: 1, max: 768_000 }),
      channels: fc.integer({ min: 1, max: 32 }),
    }),
  ),
  tags,
});
const info: fc.Arbitrary<StreamInfo> = fc.record({
  streamId,
  state: fc.constantFrom(...streamStates),
  size,
  sha256: optional(sha256),
  createdAt: size,
  updatedAt: size,
  finishedAt: optional(size),
  metadata,
});

const is = <T extends string>(type: T) => fc.constant(type);
const common = [
  fc.record({
    type: is("HELLO"),
    revision: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    name: text,
    connectionCredit: fc.nat(maxCreditBytes),
    channelCredit: fc.nat(maxCreditBytes),
    maxChannels: fc.nat(1024),
    maxDataBytes: fc.integer({ min: 1, max: maxDataBytes }),
    idleMs: u32,
    token: optional(fc.string({ unit: "grapheme-ascii", minLength: 1 })),
  }),
  fc.record({ type: is("PING"), nonce: u32 }),
  fc.record({ type: is("PONG"), nonce: u32 }),
  fc.record({ type: is("ERROR"), channel: anyChannel, code: streamId, message: text, hint: text }),
  fc.record({ type: is("DATA"), channel, offset: size, crc: u32, payload }),
  fc.record({ type: is("CREDIT"), channel: anyChannel, bytes: credit }),
];
const clientMessage: fc.Arbitrary<ClientMessage> = fc.oneof(
  ...common,
  fc
    .record({
      type: is("WRITE"),
      channel,
      streamId: optional(streamId),
      mode: fc.constantFrom(...writeModes),
      metadata,
      size: optional(size),
    })
    .filter(({ mode, streamId }) => mode === "create" || streamId !== undefined),
  fc.record({
    type: is("READ"),
    channel,
    streamId,
    offset: size,
    length: optional(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
  }),
  fc
    .record({
      type: is("FOLLOW"),
      channel,
      source: fc.constantFrom(...followSources),
      name: streamId,
      offset: optional(size),
    })
    .filter(({ source, offset }) => source === "stream" || offset === undefined),
  fc.record({
    type: is("LIST"),
    channel,
    filter: fc.constantFrom(...listFilters),
    after: fc.oneof(fc.constant(""), streamId),
    limit: fc.integer({ min: 1, max: maxListedOnChannel }),
  }),
  fc.record({ type: is("INFO"), channel, streamId }),
  fc.record({ type: is("REMOVE"), channel, streamId }),
  fc.record({ type: is("FINISH"), channel, size, sha256: optional(sha256) }),
  fc.record({ type: is("CLOSE"), channel, discard: fc.boolean() }),
);
const serverMessage: fc.Arbitrary<ServerMessage> = fc.oneof(
  ...common,
  fc.record({ type: is("DATA"), channel, offset: size, crc: fc.constant(undefined), payload }),
  fc.record({ type: is("GOODBYE"), deadlineMs: u32 }),
  fc
    .record({ type: is("ACK"), channel, written: size, durable: size })
    .filter(({ written, durable }) => durable <= written),
  fc.record({
    type: is("OPENED"),
    channel,
    streamId,
    offset: size,
    size: optional(size),
    metadata,
    sha256: optional(sha256),
  }),
  fc.record({
    type: is("END"),
    channel,
    outcome: fc.constantFrom(...outcomes),
    size,
    sha256: optional(sha256),
  }),
  fc.record({
    type: is("STREAMS"),
    channel,
    streams: fc.array(info, { maxLength: 5 }),
    next: optional(streamId),
  }),
);

const decoders = [decodeClientMessage, decodeServerMessage];
const typesSeen = new Set<string>();

describe("every message survives a round trip", () => {
  test.each([
    ["of a client", clientMessage, decodeClientMessage],
    ["of a server", serverMessage, decodeServerMessage],
  ] as const)("%s", (_, messages: fc.Arbitrary<ClientMessage | ServerMessage>, decodeMessage) => {
    fc.assert(
      fc.property(messages, (message) => {
        typesSeen.add(message.type);
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 800 },
    );
  });

  test("and none is missing here", () => {
    expect([...typesSeen].toSorted()).toEqual(Object.keys(messageTypes).toSorted());
  });
});

describe("any bytes decode to a value", () => {
  test("random ones", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => {
        for (const decodeMessage of decoders) expect(decodeMessage(bytes).type).toBeString();
      }),
      { numRuns: 2000 },
    );
  });

  test("any MessagePack value, in an array behind the type of a message", () => {
    const types = fc.constantFrom(...Object.values(messageTypes), 6, 127, 128, -1, 1.5);
    const values = fc.array(
      fc.oneof(fc.anything({ withNullPrototype: false, maxDepth: 3 }), channel, streamId, fc.constant(null)),
    );
    fc.assert(
      fc.property(types, values, (type, rest) => {
        let bytes: Uint8Array;
        try {
          bytes = encode([type, ...rest]);
        } catch (error) {
          // What cannot be written at all, a function or a key of a map that no decoder takes, is no case.
          if (error instanceof Error) return;
          throw error;
        }
        for (const decodeMessage of decoders) expect(decodeMessage(bytes).type).toBeString();
      }),
      { numRuns: 1000 },
    );
  });

  test("a message that is truncated anywhere is malformed", () => {
    fc.assert(
      fc.property(fc.oneof(clientMessage, serverMessage), fc.nat(), (message, at) => {
        const whole = encodeMessage(message);
        const cut = whole.subarray(0, at % whole.length);
        for (const decodeMessage of decoders) expect(decodeMessage(cut).type).toBe("MALFORMED");
      }),
      { numRuns: 1000 },
    );
  });

  test("bytes behind a message make it malformed", () => {
    fc.assert(
      fc.property(
        fc.oneof(clientMessage, serverMessage),
        fc.uint8Array({ minLength: 1 }),
        (message, more) => {
          const longer = Buffer.concat([encodeMessage(message), more]);
          for (const decodeMessage of decoders) expect(decodeMessage(longer).type).toBe("MALFORMED");
        },
      ),
    );
  });

  test("a message with changed bytes decodes to a value that can be encoded again", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(clientMessage, serverMessage), changes, (message, changed) => {
        const bytes = encodeMessage(message);
        for (const [at, byte] of changed) bytes[at % bytes.length] = byte;
        for (const decodeMessage of decoders) {
          const value = decodeMessage(bytes);
          if (value.type === "MALFORMED" || value.type === "UNKNOWN") continue;
          expect(decodeMessage(encodeMessage(value))).toEqual(value);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("a deeply nested value is refused before it is decoded", () => {
    const nested = new Uint8Array(200_000).fill(0x91);
    expect(decodeClientMessage(nested).type).toBe("MALFORMED");
    const inTag = encode([messageTypes.PING, 1, [[[[[[[[1]]]]]]]]]);
    expect(decodeClientMessage(inTag).type).toBe("MALFORMED");
  });
});

const dataOf = (length: number) =>
  encodeData({ channel: 1, offset: 0, crc: 0, payload: new Uint8Array(length) });

describe("DATA", () => {
  test("is plain MessagePack to any other decoder", () => {
    fc.assert(
      fc.property(channel, size, optional(u32), payload, (channel, offset, crc, payload) => {
        expect(decode(encodeData({ channel, offset, crc, payload }))).toEqual([
          messageTypes.DATA,
          channel,
          offset,
          crc ?? null,
          payload,
        ]);
      }),
    );
  });

  test("of another encoder decodes too, even with extra elements", () => {
    fc.assert(
      fc.property(channel, size, u32, payload, fc.boolean(), (channel, offset, crc, payload, more) => {
        const elements = [messageTypes.DATA, channel, offset, crc, payload];
        const bytes = encode(more ? [...elements, "later"] : elements);
        expect(decodeClientMessage(bytes)).toEqual({ type: "DATA", channel, offset, crc, payload });
      }),
    );
  });

  test.each([
    ["its usual form", encodeData({ channel: 7, offset: 9, crc: 1, payload: Uint8Array.of(1, 2, 3) })],
    ["any other", encode([messageTypes.DATA, 7, 9, 1, Uint8Array.of(1, 2, 3), null])],
  ])("in %s gives a view into the frame", (_, frame) => {
    const message = decodeClientMessage(frame);
    if (message.type !== "DATA") throw new Error(`got ${message.type}`);
    expect(message.payload.buffer).toBe(frame.buffer);
    expect([...message.payload]).toEqual([1, 2, 3]);
  });

  test("has a header of fixed length, whatever its fields are", () => {
    const bytes = new Uint8Array(40);
    expect(writeDataHead(bytes, 3, 1, 0, 0, 1)).toBe(dataHeadBytes);
    expect(writeDataHead(bytes, 3, 65_535, Number.MAX_SAFE_INTEGER, 0xffffffff, maxDataBytes)).toBe(
      dataHeadBytes,
    );
    expect(writeDataHead(bytes, 3, 1, 0, undefined, 1)).toBe(plainDataHeadBytes);
    expect([...bytes.subarray(0, 3)]).toEqual([0, 0, 0]);
  });

  test("of the usual size fills one TCP segment, including the headers of both layers below and a mask", () => {
    const [ipv6HeadBytes, tcpHeadBytes, webSocketHeadBytes] = [40, 20 + 12, 10 + 4];
    const segment = ipv6HeadBytes + tcpHeadBytes + webSocketHeadBytes + dataHeadBytes + usualDataBytes;
    expect(segment).toBeLessThanOrEqual(65_535);
    expect(streamQuantumBytes % usualDataBytes).toBe(0);
  });

  test("has 1 byte up to the limit", () => {
    expect(decodeClientMessage(dataOf(0)).type).toBe("MALFORMED");
    expect(decodeClientMessage(dataOf(1)).type).toBe("DATA");
    expect(decodeClientMessage(dataOf(maxDataBytes)).type).toBe("DATA");
    expect(decodeClientMessage(dataOf(maxDataBytes + 1)).type).toBe("MALFORMED");
    expect(dataOf(maxDataBytes).length).toBeLessThanOrEqual(maxMessageBytes);
  });

  test.each([
    ["an offset past 2^53 - 1", [8, 1, 2n ** 53n, 0, Uint8Array.of(1)]],
    ["a CRC past 2^32 - 1", [8, 1, 0, 2n ** 32n, Uint8Array.of(1)]],
    ["a channel 0", [8, 0, 0, 0, Uint8Array.of(1)]],
    ["a channel past 65,535", [8, 65_536, 0, 0, Uint8Array.of(1)]],
    ["no CRC, from a client", [8, 1, 0, null, Uint8Array.of(1)]],
    ["text for audio", [8, 1, 0, 0, "audio"]],
    ["a negative offset", [8, 1, -1, 0, Uint8Array.of(1)]],
  ])("with %s is malformed, in either form", (_, elements) => {
    for (const more of [[], [null]]) {
      const frame = encode([...elements, ...more], { useBigInt64: true });
      expect(decodeClientMessage(frame).type).toBe("MALFORMED");
    }
  });
});

/** With those that later revisions have appended, which are left out if they have no value. */
function knownElements({ type }: ClientMessage): number {
  if (type === "HELLO") return 9;
  if (type === "WRITE") return 6;
  return type === "FINISH" ? 4 : 0;
}

describe("a peer of a later revision", () => {
  test("may send unknown types with any elements", () => {
    expect(decodeClientMessage(encode([100, { a: [1] }]))).toEqual({ type: "UNKNOWN", number: 100 });
    expect(decodeServerMessage(encode([6]))).toEqual({ type: "UNKNOWN", number: 6 });
  });

  test("may append elements to every message", () => {
    fc.assert(
      fc.property(clientMessage, (message) => {
        const elements = decode(encodeMessage(message)) as unknown[];
        while (elements.length < knownElements(message)) elements.push(null);
        expect(decodeClientMessage(encode([...elements, [1, "later"], null]))).toEqual(message);
      }),
    );
  });
});

describe("a malformed message", () => {
  test("fails its channel if it opens one", () => {
    const wrong = [
      [messageTypes.WRITE, 9, "id", 3, [null, null, {}]],
      [messageTypes.WRITE, 9, null, 1, [null, null, {}]],
      [messageTypes.WRITE, 9, null, 2, [null, null, {}]],
      [messageTypes.WRITE, 9, "id", 1, [null, null, {}], -1],
      [messageTypes.WRITE, 9, "id", 0, [null, null, { "1st": "a" }]],
      [messageTypes.READ, 9, "", 0, null],
      [messageTypes.READ, 9, "id", 0, 0],
      [messageTypes.FOLLOW, 9, 1, "kitchen", 0],
      [messageTypes.LIST, 9, 0, "", maxListedOnChannel + 1],
      [messageTypes.INFO, 9],
      [messageTypes.REMOVE, 9, 5],
    ];
    for (const elements of wrong) {
      expect(decodeClientMessage(encode(elements))).toMatchObject({ type: "MALFORMED", channel: 9 });
    }
  });

  test("fails the connection otherwise", () => {
    const wrong = [
      [messageTypes.FINISH, 9, -1],
      [messageTypes.FINISH, 9, 1, new Uint8Array(31)],
      [messageTypes.CREDIT, 9, 0],
      [messageTypes.CREDIT, 9, maxCreditBytes + 1],
      [messageTypes.CLOSE, 9, 1],
      [messageTypes.INFO, 0, "id"],
      [messageTypes.OPENED, 9, "id", 0, null, [null, null, {}]],
      ["WRITE", 9],
      [],
    ];
    for (const elements of wrong) {
      expect(decodeClientMessage(encode(elements))).toMatchObject({ type: "MALFORMED", channel: 0 });
    }
    expect(decodeClientMessage(encode({ type: 2 }))).toMatchObject({ type: "MALFORMED", channel: 0 });
    expect(decodeServerMessage(encode([messageTypes.ACK, 9, 5, 6])).type).toBe("MALFORMED");
  });

  test("may be one that is too long", () => {
    const frame = encode([
      messageTypes.PING,
      1,
      new Uint8Array(maxDataBytes),
      "x".repeat(maxMessageBytes - maxDataBytes),
    ]);
    expect(decodeClientMessage(frame).type).toBe("MALFORMED");
  });
});

function received(metadata: Metadata) {
  const message = { type: "WRITE", channel: 1, streamId: "id", mode: "create", metadata } as const;
  return decodeClientMessage(encodeMessage(message));
}

describe("metadata", () => {
  const plain: Metadata = { contentType: undefined, format: undefined, tags: {} };

  test.each([
    ["a key that is an index", { tags: { "1": "a" } }],
    ["a key that is too long", { tags: { ["k".repeat(65)]: "a" } }],
    ["a value that is too long", { tags: { k: "x".repeat(513) } }],
    ["too many tags", { tags: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, ""])) }],
    [
      "tags that are too long together",
      { tags: Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`k${n}`, "x".repeat(500)])) },
    ],
    ["half a surrogate pair", { tags: { k: "\ud800" } }],
    ["half a surrogate pair in its type", { contentType: "\ud800" }],
    ["an empty content type", { contentType: "" }],
    ["no channels", { format: { codec: "flac", sampleRate: 44_100, channels: 0 } }],
  ])("with %s is malformed", (_, part) => {
    expect(received({ ...plain, ...part })).toMatchObject({ type: "MALFORMED", channel: 1 });
  });

  test("of any valid kind are decoded", () => {
    fc.assert(fc.property(metadata, (metadata) => expect(received(metadata).type).toBe("WRITE")));
  });
});

test("a page has as many streams as fit a message", () => {
  const tags = Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`k${n}`, "€".repeat(500)]));
  const large: StreamInfo = {
    streamId: "x".repeat(128),
    state: "finished",
    size: Number.MAX_SAFE_INTEGER,
    sha256: "ab".repeat(32),
    createdAt: Number.MAX_SAFE_INTEGER,
    updatedAt: Number.MAX_SAFE_INTEGER,
    finishedAt: Number.MAX_SAFE_INTEGER,
    metadata: { contentType: undefined, format: undefined, tags },
  };
  const page: StreamInfo[] = Array.from({ length: maxListedOnChannel }, () => large);
  const fitting = fittingStreams(page);
  expect(fitting).toBeWithin(1, maxListedOnChannel);
  const next = "x".repeat(128);
  const frame = encodeMessage({ type: "STREAMS", channel: 65_535, streams: page.slice(0, fitting), next });
  expect(frame.length).toBeLessThanOrEqual(maxMessageBytes);
  expect(decodeServerMessage(frame).type).toBe("STREAMS");
});
