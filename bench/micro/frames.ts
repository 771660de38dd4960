/**
 * How fast messages of live ingest are checked and decoded on one thread.
 *
 *     bun bench/micro/frames.ts [--quick]
 */
import {
  codecImaAdpcm,
  codecPcm16,
  decodeFrame,
  decodeHandshake,
  encodeFrameHeader,
  encodeHandshake,
  frameHeaderBytes,
  frameSeq,
  type Handshake,
  refuseFrame,
} from "../../src/wire/ingest.ts";
import { type Case, compare, millions, quick } from "./measure.ts";

const count = quick ? 10 : 1000;
const frameSamples = 320;

function handshakeOf(codec: number): Handshake {
  return { streamId: 1, sampleRate: 16_000, channels: 1, codec, frameSamples, timestampMs: 0 };
}

/** Frames of 20 ms at 16 kHz, one per message. */
function framesOf(codec: number): Uint8Array[] {
  const payloadBytes = codec === codecPcm16 ? 2 * frameSamples : 4 + frameSamples / 2;
  return Array.from({ length: count }, (_, seq) => {
    const message = new Uint8Array(frameHeaderBytes + payloadBytes);
    encodeFrameHeader(message, 0, codec, seq, payloadBytes);
    return message;
  });
}

/** The server's work on a frame: check it, read its sequence number. */
function checking(name: string, codec: number): Case {
  const handshake = handshakeOf(codec);
  const frames = framesOf(codec);
  const run = () => {
    let sum = 0;
    for (const frame of frames) {
      if (refuseFrame(handshake, frame) !== undefined) throw new Error("a good frame was refused");
      sum += frameSeq(frame, 0);
    }
    if (sum !== (count * (count - 1)) / 2) throw new Error("a wrong sequence number");
    return count;
  };
  return { name, run, show: millions("frames") };
}

function decoding(name: string, codec: number): Case {
  const handshake = handshakeOf(codec);
  const frames = framesOf(codec);
  const run = () => {
    for (const frame of frames) {
      if (typeof decodeFrame(handshake, frame) === "string") throw new Error("a good frame was refused");
    }
    return count;
  };
  return { name, run, show: millions("frames") };
}

function handshakes(): Case {
  const message = encodeHandshake(handshakeOf(codecImaAdpcm));
  const run = () => {
    for (let index = 0; index < count; index += 1) {
      if (typeof decodeHandshake(message) === "string") throw new Error("a good handshake was refused");
    }
    return count;
  };
  return { name: "decode a handshake", run, show: millions("handshakes") };
}

await compare("FRAMES OF LIVE INGEST", [
  checking("check a frame of ADPCM", codecImaAdpcm),
  checking("check a frame of PCM", codecPcm16),
  decoding("decode a frame of ADPCM", codecImaAdpcm),
  decoding("decode a frame of PCM", codecPcm16),
  handshakes(),
]);
