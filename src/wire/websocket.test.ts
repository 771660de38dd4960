import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { encodeFrame } from "../testing/harness/peers/websocket-frames.ts";
import { encodeClientFrame, FrameReader, opcodes } from "./websocket.ts";

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(125, 126, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
);

test("frames of a server are read whole, whatever the chunks they arrive in", () => {
  const frame = fc.record({ opcode: fc.constantFrom(...Object.values(opcodes)), fin: fc.boolean(), payload });
  const sizes = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), sizes, (frames, chunkBytes) => {
      const bytes = Buffer.concat(frames.map((each) => encodeFrame(each)));
      const reader = new FrameReader(65_536);
      const read = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const length = chunkBytes[turn % chunkBytes.length]!;
        reader.push(bytes.subarray(at, at + length));
        at += length;
        for (let next = reader.next(); next !== undefined; next = reader.next()) read.push(next);
      }
      expect(read.map(({ opcode, isLast }) => ({ opcode, fin: isLast }))).toEqual(
        frames.map(({ opcode, fin }) => ({ opcode, fin })),
      );
      expect(read.map((each) => Buffer.from(each.payload).toString("hex"))).toEqual(
        frames.map((each) => Buffer.from(each.payload).toString("hex")),
      );
    }),
    { numRuns: 60 },
  );
});

test("frames of a client are those of the protocol", () => {
  fc.assert(
    fc.property(payload, fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes, mask) => {
      const expected = encodeFrame({ opcode: opcodes.binary, payload: bytes, mask });
      expect(Buffer.from(encodeClientFrame(opcodes.binary, bytes, mask)).equals(expected)).toBe(true);
    }),
  );
});

test("a frame that no server may send, or that is too long, throws", () => {
  const frames = [
    encodeFrame({ opcode: 1, rsv: 4 }),
    encodeFrame({ opcode: 1, mask: new Uint8Array(4) }),
    encodeFrame({ opcode: 1, payload: new Uint8Array(101) }),
  ];
  for (const frame of frames) {
    const reader = new FrameReader(100);
    reader.push(frame);
    expect(() => reader.next()).toThrow(RangeError);
  }
});
