import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeHandshake, maxImaAdpcmPayload } from "../../wire/ingest.ts";
import { ClientError } from "../errors.ts";
import { deviceUrl, handshakeOf, ingestFormat, messageBytes } from "./format.ts";

const base = { codec: "pcm", nibbles: "low", sampleRate: 16_000, channels: 1, frameMs: 20 } as const;

describe("the length of a frame", () => {
  test("is the requested one, to the nearest sample", () => {
    expect(ingestFormat(base).frameSamples).toBe(320);
    expect(ingestFormat({ ...base, sampleRate: 11_025, frameMs: 10 }).frameSamples).toBe(110);
    expect(ingestFormat({ ...base, sampleRate: 8, frameMs: 1 }).frameSamples).toBe(1);
  });

  test("is whole bytes in mono ADPCM, and whole words of 8 samples with more channels", () => {
    const adpcm = { ...base, codec: "adpcm", sampleRate: 44_100 } as const;
    expect(ingestFormat({ ...adpcm, frameMs: 1 }).frameSamples).toBe(44);
    expect(ingestFormat({ ...adpcm, sampleRate: 22_050, frameMs: 10 }).frameSamples % 2).toBe(0);
    expect(ingestFormat({ ...adpcm, channels: 2 }).frameSamples).toBe(880);
  });

  test("is refused if the handshake cannot express it", () => {
    expect(() => ingestFormat({ ...base, sampleRate: 96_000, frameMs: 1000 })).toThrow("96000 samples");
    expect(() => ingestFormat({ ...base, sampleRate: 1_000_000 })).toThrow("1000000 samples a second");
  });

  test("never makes a payload that a server refuses as too long", () => {
    const channels = fc.integer({ min: 1, max: 32 });
    const samples = {
      sampleRate: fc.integer({ min: 1, max: 48_000 }),
      frameMs: fc.integer({ min: 1, max: 1000 }),
    };
    fc.assert(
      fc.property(fc.record({ channels, ...samples }), ({ channels, sampleRate, frameMs }) => {
        const format = ingestFormat({ ...base, codec: "adpcm", channels, sampleRate, frameMs });
        const payload = messageBytes(format, format.frameSamples) - 12;
        expect(payload).toBeLessThanOrEqual(maxImaAdpcmPayload(channels, format.frameSamples));
      }),
    );
  });
});

test("a handshake is the 32 bytes of the protocol", () => {
  const format = ingestFormat({ ...base, codec: "adpcm", channels: 2 });
  const bytes = handshakeOf(format, 0xdeadbeef, 0x0123456789ab);
  const hex = "43504441 0100 2000 efbeadde 803e0000 0200 0100 4001 0000 ab89674523010000";
  expect(Buffer.from(bytes).toString("hex")).toBe(hex.replaceAll(" ", ""));
  expect(decodeHandshake(bytes)).toMatchObject({ streamId: 0xdeadbeef, sampleRate: 16_000, codec: 1 });
});

describe("the address of a device", () => {
  test("ends in its hardware id, sanitized as for file names", () => {
    expect(deviceUrl("ws://h:5096/ws", "AA:BB.c-d_e")).toBe("ws://h:5096/ws/AA_BB_c-d_e");
    expect(deviceUrl("ws://h:5096/ws/", "a/../b?c#d")).toBe("ws://h:5096/ws/a__bcd");
    expect(deviceUrl("ws://h/ws?token=1", "küche")).toBe("ws://h/ws/k%C3%BCche?token=1");
  });

  test("is unchanged without a hardware id", () => {
    expect(deviceUrl("ws://h:5096/WS?x", undefined)).toBe("ws://h:5096/WS?x");
  });

  test("is refused if the id has no allowed character, or the URL is not a WebSocket's", () => {
    for (const hwid of ["", "/", "🎤", "?!"]) {
      expect(() => deviceUrl("ws://h/ws", hwid)).toThrow(ClientError);
    }
    expect(() => deviceUrl("http://h/ws", "a")).toThrow("not a WebSocket address");
  });
});
