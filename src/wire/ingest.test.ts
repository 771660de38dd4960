import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  type Handshake,
  codecImaAdpcm,
  codecPcm16,
  decodeFrame,
  decodeHandshake,
  encodeFrameHeader,
  encodeHandshake,
  frameBytesAt,
  frameHeaderBytes,
  frameSeq,
  maxHwidBytes,
  maxImaAdpcmPayload,
  maxIngestChannels,
  maxSampleRate,
  recordingName,
  refuseFrame,
  sanitizeHwid,
} from "./ingest.ts";

const adpcm: Handshake = {
  streamId: 7,
  sampleRate: 16000,
  channels: 1,
  codec: codecImaAdpcm,
  frameSamples: 320,
  timestampMs: 1_700_000_000_123,
};
const pcm: Handshake = { ...adpcm, codec: codecPcm16, channels: 2 };

/** The handshake `adpcm` as a device sends it. */
const adpcmMessage = Uint8Array.from([
  0x43, 0x50, 0x44, 0x41, 1, 0, 32, 0, 7, 0, 0, 0, 0x80, 0x3e, 0, 0, 1, 0, 1, 0, 0x40, 1, 0, 0, 0x7b, 0x68,
  0xe5, 0xcf, 0x8b, 0x01, 0, 0,
]);

function frame(codec: number, seq: number, payloadBytes: number): Uint8Array {
  const out = new Uint8Array(frameHeaderBytes + payloadBytes);
  encodeFrameHeader(out, 0, codec, seq, payloadBytes);
  return out;
}

/** `bytes` with the byte at `at` replaced. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const out = bytes.slice();
  out.set(values, at);
  return out;
}

describe("a handshake", () => {
  test("is decoded in the form that devices send", () =>
    expect(decodeHandshake(adpcmMessage)).toEqual(adpcm));

  test("is encoded in the form that devices send", () =>
    expect(encodeHandshake(adpcm)).toEqual(adpcmMessage));

  test("may be longer and have any reserved bytes", () => {
    expect(decodeHandshake(Uint8Array.of(...patched(adpcmMessage, 22, 255, 255), 1, 2, 3))).toEqual(adpcm);
  });

  test("with an unknown codec is accepted, but its frames are refused", () => {
    expect(decodeHandshake(patched(adpcmMessage, 18, 9, 9))).toMatchObject({ codec: 0x0909 });
  });

  const broken: [string, Uint8Array][] = [
    ["is empty", new Uint8Array(0)],
    ["is a byte short", adpcmMessage.slice(0, 31)],
    ["has another magic", patched(adpcmMessage, 0, 0x46)],
    ["has version 0", patched(adpcmMessage, 4, 0)],
    ["has version 2", patched(adpcmMessage, 4, 2)],
    ["has another header length", patched(adpcmMessage, 6, 33)],
    ["has no sample rate", patched(adpcmMessage, 12, 0, 0)],
    ["has a sample rate too high", patched(adpcmMessage, 12, 0xff, 0xff, 0xff, 0xff)],
    ["has no channels", patched(adpcmMessage, 16, 0)],
    ["has too many channels", patched(adpcmMessage, 16, maxIngestChannels + 1)],
  ];
  for (const [name, message] of broken) {
    test(`is invalid when it ${name}`, () => expect(decodeHandshake(message)).toBe("invalid handshake"));
  }

  test("survives a round trip with any values", () => {
    const handshakes = fc.record({
      streamId: fc.nat(0xffffffff),
      sampleRate: fc.integer({ min: 1, max: maxSampleRate }),
      channels: fc.integer({ min: 1, max: maxIngestChannels }),
      codec: fc.nat(0xffff),
      frameSamples: fc.nat(0xffff),
      timestampMs: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(handshakes, (handshake) => {
        expect(decodeHandshake(encodeHandshake(handshake))).toEqual(handshake);
      }),
    );
  });
});

describe("a frame", () => {
  test("is decoded without copying its payload", () => {
    const message = Uint8Array.of(
      0x46,
      0x50,
      0x44,
      0x41,
      6,
      0,
      0,
      0,
      4,
      3,
      2,
      0xf1,
      0x10,
      0,
      5,
      0,
      0x12,
      0x34,
    );
    const decoded = decodeFrame(adpcm, message);
    expect(decoded).toEqual({ seq: 0xf1020304, payload: Uint8Array.of(0x10, 0, 5, 0, 0x12, 0x34) });
    if (typeof decoded === "object") expect(decoded.payload.buffer).toBe(message.buffer);
    expect(message.slice(0, 12)).toEqual(frame(codecImaAdpcm, 0xf1020304, 6).slice(0, 12));
  });

  test("of PCM16 has its own magic", () => {
    const bytes = [0x50, 0x43, 0x4d, 0x46, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(frame(codecPcm16, 1, 8)).toEqual(Uint8Array.from(bytes));
  });

  test("is decoded from a view into a larger buffer", () => {
    const ring = new Uint8Array(100);
    ring.set(frame(codecPcm16, 3, 4), 50);
    expect(decodeFrame(pcm, ring.subarray(50, 66))).toEqual({ seq: 3, payload: new Uint8Array(4) });
  });

  test("of PCM16 has whole sample frames, up to the length of a full frame", () => {
    for (const bytes of [0, 4, 1276, 1280])
      expect(refuseFrame(pcm, frame(codecPcm16, 0, bytes))).toBeUndefined();
    for (const bytes of [1, 2, 3, 1278, 1284]) {
      expect(refuseFrame(pcm, frame(codecPcm16, 0, bytes))).toBe("frame payload size invalid");
    }
  });

  test("of ADPCM has at least a header and up to 16 spare bytes", () => {
    for (const bytes of [4, 5, 164, 180]) {
      expect(refuseFrame(adpcm, frame(codecImaAdpcm, 0, bytes))).toBeUndefined();
    }
    for (const bytes of [0, 3, 181, 5000]) {
      expect(refuseFrame(adpcm, frame(codecImaAdpcm, 0, bytes))).toBe("frame payload size invalid");
    }
    expect(refuseFrame({ ...adpcm, frameSamples: 321 }, frame(codecImaAdpcm, 0, 180))).toBeUndefined();
    expect(refuseFrame({ ...adpcm, frameSamples: 321 }, frame(codecImaAdpcm, 0, 181))).toBeDefined();
  });

  test("of ADPCM with several channels has a header and whole words for each", () => {
    expect(maxImaAdpcmPayload(2, 320)).toBe(4 + 320 + 16);
    for (let channels = 2; channels <= maxIngestChannels; channels++) {
      for (const frameSamples of [0, 1, 7, 8, 9, 960]) {
        const needed = 4 * channels + Math.ceil(frameSamples / 8) * 4 * channels;
        const handshake = { ...adpcm, channels, frameSamples };
        expect(refuseFrame(handshake, frame(codecImaAdpcm, 0, needed))).toBeUndefined();
        expect(refuseFrame(handshake, frame(codecImaAdpcm, 0, 4 * channels - 1))).toBe(
          "frame payload size invalid",
        );
      }
    }
  });

  const good = frame(codecImaAdpcm, 0, 164);
  const invalid: [string, Uint8Array][] = [
    ["is empty", new Uint8Array(0)],
    ["is shorter than its header", good.slice(0, 11)],
    ["has a magic that no codec has", patched(good, 0, 0x47)],
    ["is a handshake", adpcmMessage],
    ["says a length greater than what follows", patched(good, 4, 165)],
    ["says a length less than what follows", patched(good, 4, 163)],
    ["says a length beyond all reason", patched(good, 4, 0xff, 0xff, 0xff, 0xff)],
  ];
  for (const [name, message] of invalid) {
    test(`is invalid when it ${name}`, () => expect(decodeFrame(adpcm, message)).toBe("invalid audio frame"));
  }

  test("of the other codec is a mismatch, whatever its size", () => {
    expect(decodeFrame(adpcm, frame(codecPcm16, 0, 4))).toBe("frame codec mismatch");
    expect(decodeFrame(pcm, frame(codecImaAdpcm, 0, 3))).toBe("frame codec mismatch");
  });

  test("never matches a codec that is unknown", () => {
    for (const codec of [codecPcm16, codecImaAdpcm]) {
      expect(decodeFrame({ ...adpcm, codec: 2 }, frame(codec, 0, 164))).toBe("frame codec mismatch");
    }
  });

  test("of the wrong length is invalid even if its codec does not match either", () => {
    expect(decodeFrame(adpcm, patched(frame(codecPcm16, 0, 8), 4, 9))).toBe("invalid audio frame");
  });

  test("needs room for its header", () => {
    expect(() => encodeFrameHeader(new Uint8Array(12), 1, codecPcm16, 0, 0)).toThrow(RangeError);
  });
});

test("the frames of a recording can be walked up to the torn frame", () => {
  const frames = [frame(codecImaAdpcm, 1, 164), frame(codecImaAdpcm, 2, 4), frame(codecImaAdpcm, 3, 164)];
  const whole = new Uint8Array(Buffer.concat(frames));
  for (let cut = 0; cut <= whole.length; cut++) {
    const bytes = whole.slice(0, cut);
    const seqs: number[] = [];
    for (let at = 0; frameBytesAt(bytes, at) > 0; at += frameBytesAt(bytes, at))
      seqs.push(frameSeq(bytes, at));
    expect(seqs).toEqual([1, 2, 3].slice(0, cut < 176 ? 0 : cut < 192 ? 1 : cut < whole.length ? 2 : 3));
  }
});

test("decoding any bytes returns a value or a refusal and never throws", () => {
  const start = fc.constantFrom(
    new Uint8Array(0),
    adpcmMessage.slice(0, 8),
    frame(codecPcm16, 0, 20).slice(0, 12),
    frame(codecImaAdpcm, 0, 20).slice(0, 12),
  );
  const refusals = ["invalid audio frame", "frame codec mismatch", "frame payload size invalid"];
  const handshakes = fc.constantFrom(adpcm, pcm, { ...adpcm, codec: 7 });
  const rests = fc.oneof(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.uint8Array({ maxLength: 40 }));
  let frames = 0;
  fc.assert(
    fc.property(start, rests, fc.boolean(), handshakes, (start, rest, isPlain, handshake) => {
      const message = isPlain ? rest : Uint8Array.from([...start, ...rest]);
      const shaken = decodeHandshake(message);
      if (typeof shaken === "string") expect(shaken).toBe("invalid handshake");
      const decoded = decodeFrame(handshake, message);
      if (typeof decoded === "string") return expect(refusals).toContain(decoded);
      frames++;
      expect(decoded.payload).toEqual(message.slice(12));
    }),
    { numRuns: 2000 },
  );
  expect(frames).toBeGreaterThan(0);
});

describe("a hardware id", () => {
  const ids: [string, string | undefined][] = [
    ["AA:BB:CC:00:11:22", "AA_BB_CC_00_11_22"],
    ["mic-1_left.v2", "mic-1_left_v2"],
    ["Küche Größe٣", "KücheGröße٣"],
    ["../../etc/passwd", "____etcpasswd"],
    ["..", "__"],
    ["a/b\\c\0d\ne", "abcde"],
    ["½²Ⅷ", undefined],
    ["🎤", undefined],
    ["\ud800x\udc00", "x"],
    ["𐐷9", "𐐷9"],
    ["<script>", "script"],
    ["", undefined],
    [" / ", undefined],
  ];
  for (const [hwid, expected] of ids) {
    test(`${JSON.stringify(hwid)} becomes ${expected}`, () => expect(sanitizeHwid(hwid)).toBe(expected));
  }

  test("is cut between characters if it is too long", () => {
    expect(sanitizeHwid("a".repeat(500))).toBe("a".repeat(maxHwidBytes));
    expect(sanitizeHwid(`a${"ü".repeat(500)}`)).toBe(`a${"ü".repeat((maxHwidBytes - 2) / 2)}`);
  });

  test("becomes a safe file name from any text, and sanitising that again changes nothing", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme", maxLength: 200 })),
        (text) => {
          const hwid = sanitizeHwid(text);
          if (hwid === undefined) return;
          expect(hwid).toMatch(/^[\p{L}\p{Nd}_-]+$/u);
          expect(Buffer.byteLength(hwid)).toBeLessThanOrEqual(maxHwidBytes);
          expect(sanitizeHwid(hwid)).toBe(hwid);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("a recording's name", () => {
  const openedMs = Date.UTC(2024, 0, 2, 3, 4, 5, 999);

  test("has the stream, the device and the second in UTC", () => {
    expect(recordingName(7, "kitchen", openedMs)).toBe("stream_7_kitchen_20240102_030405");
  });

  test("works without a device", () =>
    expect(recordingName(0xffffffff, undefined, 0)).toBe("stream_4294967295_19700101_000000"));

  test("fits a file system even with the longest device id", () => {
    const hwid = sanitizeHwid("ü".repeat(500));
    expect(Buffer.byteLength(`${recordingName(0xffffffff, hwid, openedMs)}_99999.wav`)).toBeLessThan(255);
  });
});
