import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type AckMessage,
  blockBytes,
  decodeDiscover,
  decodeReliable,
  encodeDiscover,
  encodeReliable,
  isReliable,
  maxDatagramBytes,
  maxMissingRanges,
  minRequestBytes,
  type ReliableMessage,
  stampData,
  tokenBytes,
  tokenMessageBytes,
} from "./reliable-udp.ts";
import { decodeSongName, encodeSongName } from "./song-name.ts";

const transfer = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u32 = fc.nat({ max: 0xffff_ffff });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const ack: fc.Arbitrary<AckMessage> = fc
  .record({
    type: fc.constant("ack" as const),
    transfer,
    next: fc.nat({ max: 0xffff }),
    limit: u32,
    stamp: u32,
    heldMs: fc.nat({ max: 0xffff }),
    gaps: fc.array(fc.tuple(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 99 })), {
      maxLength: maxMissingRanges,
    }),
  })
  .map(({ gaps, ...rest }) => {
    let at = rest.next;
    const missing = gaps.map(([skip, length]) => {
      const from = at + skip;
      at = from + length;
      return { from, to: at };
    });
    return Object.assign(rest, { seen: at, missing });
  });

const message: fc.Arbitrary<ReliableMessage> = fc.oneof(
  fc.record({
    type: fc.constant("request" as const),
    transfer,
    token: bytes(20),
    limit: u32,
    name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
  }),
  fc.record({ type: fc.constant("token" as const), transfer, token: bytes(20) }),
  fc.record({
    type: fc.constant("song" as const),
    transfer,
    size: fc.nat({ max: 2 ** 31 }),
    blockBytes: fc.integer({ min: 1, max: blockBytes }),
    sha256: fc.option(bytes(32), { nil: undefined }),
  }),
  fc.record({
    type: fc.constant("data" as const),
    transfer,
    block: u32,
    stamp: u32,
    bytes: fc.uint8Array({ minLength: 1, maxLength: blockBytes }),
  }),
  ack,
  fc.record({ type: fc.constant("end" as const), transfer, sha256: bytes(32) }),
  fc.record({ type: fc.constant("close" as const), transfer, complete: fc.boolean() }),
  fc.record({ type: fc.constant("error" as const), transfer, code: fc.constantFrom("SONG_UNKNOWN", "X") }),
);

function hex(sent: ReliableMessage): string {
  return Buffer.from(encodeReliable(sent)).toString("hex");
}

/** The header of a transfer 0102030405060708. */
function head(type: string): string {
  return `0057435301${type}00000807060504030201`;
}

describe("a message of the reliable protocol", () => {
  test("survives a round trip, in a datagram that no path fragments", () => {
    fc.assert(
      fc.property(message, (sent) => {
        const datagram = encodeReliable(sent);
        expect(datagram.length).toBeLessThanOrEqual(maxDatagramBytes);
        expect(isReliable(datagram)).toBe(true);
        expect(decodeReliable(datagram)).toEqual(sent);
        const behind = new Uint8Array(datagram.length + 3);
        behind.set(datagram, 3);
        expect(decodeReliable(behind.subarray(3))).toEqual(sent);
      }),
    );
  });

  test("that is truncated, changed or random never throws, and is never read past its end", () => {
    const changes = fc.array(fc.tuple(fc.nat({ max: maxDatagramBytes }), fc.nat({ max: 255 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(message, changes, fc.nat({ max: maxDatagramBytes }), (sent, edits, cut) => {
        const datagram = encodeReliable(sent);
        for (const [at, byte] of edits) if (at < datagram.length) datagram[at] = byte;
        decodeReliable(datagram);
        decodeReliable(datagram.subarray(0, cut));
      }),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (any) => void decodeReliable(any)));
  });

  test("that does not fit a datagram is not encoded", () => {
    const bytes = new Uint8Array(blockBytes + 1);
    expect(() => encodeReliable({ type: "data", transfer: 1n, block: 0, stamp: 0, bytes })).toThrow(
      RangeError,
    );
  });

  test("matches docs/reliable-udp.md byte by byte", () => {
    const transfer = 0x0102030405060708n;
    const token = new Uint8Array(20).fill(0xaa);
    expect(hex({ type: "request", transfer, token, limit: 2048, name: "a.mp3" })).toBe(
      `${head("01")}${"aa".repeat(20)}000800000500${Buffer.from("a.mp3").toString("hex")}`.padEnd(
        2 * minRequestBytes,
        "0",
      ),
    );
    expect(hex({ type: "token", transfer, token })).toBe(head("02") + "aa".repeat(20));
    const sha256 = new Uint8Array(32).fill(0xbb);
    expect(hex({ type: "song", transfer, size: 5_000_000, blockBytes, sha256 })).toBe(
      `${head("03")}404b4c0000000000${"9804"}0100${"bb".repeat(32)}`,
    );
    expect(hex({ type: "data", transfer, block: 258, stamp: 7, bytes: Uint8Array.of(1, 2) })).toBe(
      `${head("04")}0201000007000000${"0102"}`,
    );
    const missing = [{ from: 1, to: 2 }];
    expect(hex({ type: "ack", transfer, next: 1, limit: 9, seen: 3, stamp: 7, heldMs: 5, missing })).toBe(
      `${head("05")}010000000900000003000000070000000500010001000000${"02000000"}`,
    );
    expect(hex({ type: "end", transfer, sha256 })).toBe(head("06") + "bb".repeat(32));
    expect(hex({ type: "close", transfer, complete: false })).toBe(`${head("07")}01000000`);
    expect(hex({ type: "error", transfer, code: "AB" })).toBe(`${head("08")}024142`);
  });

  test("gets its stamp right before it is sent", () => {
    const datagram = encodeReliable({
      type: "data",
      transfer: 1n,
      block: 2,
      stamp: 0,
      bytes: Uint8Array.of(1),
    });
    stampData(datagram, 77);
    expect(decodeReliable(datagram)).toMatchObject({ block: 2, stamp: 77 });
  });
});

test("no name of a song looks like the reliable protocol", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
      fc.pre(!name.startsWith("\0"));
      expect(isReliable(encodeSongName(name)!)).toBe(false);
    }),
  );
});

describe("a DISCOVER", () => {
  test("is text that a server of the plain protocol takes for the name of a song", () => {
    fc.assert(
      fc.property(transfer, (id) => {
        const datagram = encodeDiscover(id);
        expect(decodeDiscover(datagram)).toBe(id);
        expect(isReliable(datagram)).toBe(false);
        expect(decodeSongName(datagram)).toMatch(/^[a-z0-9-]{1,64}$/);
      }),
    );
    expect(new TextDecoder().decode(encodeDiscover(0xabcn))).toBe(
      "wavecache-reliable-udp-1-0000000000000abc",
    );
  });

  test("is not shorter than its answer", () => {
    const token = encodeReliable({ type: "token", transfer: 1n, token: new Uint8Array(tokenBytes) });
    expect(token).toHaveLength(tokenMessageBytes);
    expect(encodeDiscover(1n).length).toBeGreaterThanOrEqual(tokenMessageBytes);
  });

  test("is nothing else", () => {
    const others = ["", "song.mp3", "wavecache-reliable-udp-1-", "wavecache-reliable-udp-2-0123456789abcdef"];
    for (const end of ["0123456789ABCDEF", "0123456789abcde", "0123456789abcdef0", "0123456789abcdef\n"])
      others.push(`wavecache-reliable-udp-1-${end}`);
    for (const other of others) expect(decodeDiscover(Buffer.from(other)), other).toBeUndefined();
    expect(decodeDiscover(new Uint8Array(41).fill(0xff))).toBeUndefined();
  });
});
