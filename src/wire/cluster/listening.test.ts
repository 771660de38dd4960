import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeFound,
  decodeListen,
  decodeListenAnswer,
  encodeFound,
  encodeListen,
  encodeListenAnswer,
} from "./listening.ts";

const connection = "0b0f7a5e-6a4f-4b0e-8a58-0e2c7a1f6d11";
const found = {
  connection,
  hwid: "küche",
  streamId: 7,
  codec: 1,
  frameSamples: 320,
  sampleRate: 16_000,
  channels: 2,
};
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe("messages between nodes", () => {
  test("arrive as they were sent", () => {
    expect(decodeFound(encodeFound(found))).toEqual(found);
    expect(decodeFound(encodeFound({ ...found, hwid: null }))).toEqual({ ...found, hwid: null });
    expect(decodeListen(encodeListen({ listener: connection, isOver: true }))).toEqual({
      listener: connection,
      isOver: true,
    });
    expect(decodeListenAnswer(encodeListenAnswer({}))).toEqual({});
    expect(decodeListenAnswer(encodeListenAnswer({ error: "LISTENERS_EXHAUSTED" }))).toEqual({
      error: "LISTENERS_EXHAUSTED",
    });
  });

  test.each([
    { ...found, channels: 0 },
    { ...found, channels: 2 ** 40 },
    { ...found, sampleRate: 1.5 },
    { ...found, sampleRate: 2 ** 40 },
    { ...found, connection: "audio.>" },
    { ...found, hwid: 7 },
    {},
    "kitchen",
  ])("refuse %p", (value) => {
    expect(decodeFound(bytesOf(value))).toBeUndefined();
  });

  test("refuse any other bytes without failing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytesOf)), (message) => {
        for (const decode of [decodeFound, decodeListen, decodeListenAnswer]) decode(message);
      }),
    );
    expect(decodeFound(new Uint8Array([0xff, 0xfe]))).toBeUndefined();
  });
});
