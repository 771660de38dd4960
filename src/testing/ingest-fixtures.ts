/** What the tests of live ingest share: mock servers, tracks of audio, and the audio that arrived. */
import { AdpcmDecoder, adpcmSamples } from "../codec/ima-adpcm.ts";
import { FileTrack, type FileTrackOptions } from "../client/file-track.ts";
import { codecNumber, type FormatOptions, ingestFormat } from "../client/ingest-format.ts";
import type { FrameTrack } from "../client/track.ts";
import { bytesSource } from "../client/source.ts";
import { WavSource } from "../client/wav-source.ts";
import { decodeFrame, decodeHandshake, encodeFrameHeader, type Handshake } from "../wire/ingest.ts";
import { cleanups } from "./client-fixtures.ts";
import {
  type MockDevice,
  type MockIngestBehaviour,
  type MockIngestServer,
  startMockIngestServer,
} from "./mock-ingest-server.ts";
import { samplesOf, wavFile } from "./wav-fixtures.ts";

/** A starter of mock ingest servers, each stopped after the test that started it. */
export function mockIngestServers(): (behaviour?: MockIngestBehaviour) => MockIngestServer {
  const cleanup = cleanups();
  return (behaviour) => {
    const server = startMockIngestServer(behaviour);
    cleanup(server.stop);
    return server;
  };
}

export type Coding = Partial<Pick<FormatOptions, "codec" | "nibbles" | "frameMs">>;

/** The track of a WAV file with these samples, 16 kHz. */
export async function trackOf(
  pcm: Int16Array,
  channels: number,
  coding: Coding = {},
  options: FileTrackOptions = {},
): Promise<FileTrack> {
  const wav = await WavSource.open(bytesSource(wavFile(pcm, channels)));
  const { sampleRate } = wav;
  const defaults = { codec: "pcm", nibbles: "low", frameMs: 20 } as const;
  return new FileTrack(wav, ingestFormat({ ...defaults, ...coding, sampleRate, channels }), options);
}

/** All frames of a track up to `most`, as their messages are sent. */
export async function messagesOf(track: FrameTrack, most = Infinity): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  while (messages.length < most) {
    const message = await track.frame(messages.length);
    if (message === undefined) return messages;
    encodeFrameHeader(message, 0, codecNumber(track.format.codec), messages.length, message.length - 12);
    messages.push(message.slice());
  }
  return messages;
}

/** The handshake that a device made. */
export function handshakeFrom(device: MockDevice | undefined): Handshake {
  const handshake = device?.handshake === undefined ? undefined : decodeHandshake(device.handshake);
  if (handshake === undefined || typeof handshake === "string") throw new Error(`no handshake: ${handshake}`);
  return handshake;
}

export function handshakeOfTrack({ format }: FrameTrack): Handshake {
  return { ...format, codec: codecNumber(format.codec), streamId: 1, timestampMs: 0 };
}

/** The audio in messages, by the decoders of the product; a message that is refused is an error. */
export function heardIn(
  messages: readonly Uint8Array[],
  handshake: Handshake,
  order: "low" | "high" = "low",
): Int16Array {
  const decoder = new AdpcmDecoder(handshake.channels, handshake.frameSamples, order);
  const pieces = messages.map((message) => {
    const frame = decodeFrame(handshake, message);
    if (typeof frame === "string") throw new Error(frame);
    const { payload } = frame;
    if (handshake.codec === 0) return samplesOf(payload);
    const samples = adpcmSamples(payload.length, handshake.channels, handshake.frameSamples);
    const pcm = new Int16Array(samples * handshake.channels);
    if (decoder.decode(payload, 0, payload.length, pcm, 0) !== samples) throw new Error("an invalid frame");
    return pcm;
  });
  const heard = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    heard.set(piece, at);
    at += piece.length;
  }
  return heard;
}

/** The audio that a device sent, frame after frame. */
export function heardFrom(device: MockDevice | undefined, order: "low" | "high" = "low"): Int16Array {
  const messages = (device?.frames ?? []).map(({ magic, length, seq, payload }) => {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(magic, 0);
    head.writeUInt32LE(length, 4);
    head.writeUInt32LE(seq, 8);
    return Buffer.concat([head, payload]);
  });
  return heardIn(messages, handshakeFrom(device), order);
}
