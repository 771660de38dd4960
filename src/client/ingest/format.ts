/** What one device sends: the audio format of its handshake, and the address with its hardware id. */
import { adpcmFrameBytes, type NibbleOrder } from "../../codec/ima-adpcm.ts";
import {
  codecImaAdpcm,
  codecPcm16,
  encodeHandshake,
  frameHeaderBytes,
  maxSampleRate,
  sanitizeHwid,
} from "../../wire/ingest.ts";
import { ClientError } from "../errors.ts";
import { maxFrameSamples } from "../limits.ts";

export type IngestCodec = "pcm" | "adpcm";

export interface IngestFormat {
  codec: IngestCodec;
  /** Which nibble of a byte holds the earlier sample; ADPCM only. */
  nibbles: NibbleOrder;
  /** In Hz. */
  sampleRate: number;
  channels: number;
  /** Samples per channel in a full frame. */
  frameSamples: number;
}

export interface FormatOptions {
  codec: IngestCodec;
  nibbles: NibbleOrder;
  sampleRate: number;
  channels: number;
  /** Duration of a frame; rounded to the nearest that the codec allows. */
  frameMs: number;
}

/**
 * The format with frames of about `frameMs`. A full ADPCM frame holds whole bytes in mono and whole words of 8 samples
 * per channel otherwise, so that only the last frame is padded. Throws BAD_ARGUMENT for a sample rate or frame length
 * that the handshake cannot express.
 */
export function ingestFormat(options: FormatOptions): IngestFormat {
  const { codec, nibbles, sampleRate, channels, frameMs } = options;
  if (sampleRate > maxSampleRate) {
    throw new ClientError("BAD_ARGUMENT", `${sampleRate} samples a second`, `use at most ${maxSampleRate}`);
  }
  const unit = codec === "pcm" ? 1 : channels === 1 ? 2 : 8;
  const frameSamples = Math.max(1, Math.round((sampleRate * frameMs) / 1000 / unit)) * unit;
  if (frameSamples > maxFrameSamples) {
    const detail = `frames of ${frameMs} ms have ${frameSamples} samples`;
    throw new ClientError(
      "BAD_ARGUMENT",
      detail,
      `a frame has at most ${maxFrameSamples}; use shorter frames`,
    );
  }
  return { codec, nibbles, sampleRate, channels, frameSamples };
}

/** The codec's number in the handshake and in frame headers. */
export function codecNumber(codec: IngestCodec): number {
  return codec === "pcm" ? codecPcm16 : codecImaAdpcm;
}

/** Bytes of a frame message of `samples` samples per channel, with its header. */
export function messageBytes(format: IngestFormat, samples: number): number {
  const { codec, channels } = format;
  return frameHeaderBytes + (codec === "pcm" ? samples * channels * 2 : adpcmFrameBytes(samples, channels));
}

export function handshakeOf(
  format: IngestFormat,
  streamId: number,
  timestampMs: number,
): Uint8Array<ArrayBuffer> {
  const { sampleRate, channels, codec, frameSamples } = format;
  return encodeHandshake({
    streamId,
    sampleRate,
    channels,
    codec: codecNumber(codec),
    frameSamples,
    timestampMs,
  });
}

/**
 * The address that a device sends to: `url` with the hardware id as the last part of its path. The id is sanitized as
 * servers do for file names, because some do not decode the escapes of a URL. Throws BAD_URL, or BAD_ARGUMENT for an id
 * without any allowed character.
 */
export function deviceUrl(url: string, hwid: string | undefined): string {
  if (hwid === undefined) return url;
  const name = sanitizeHwid(hwid);
  if (name === undefined) {
    const hint = "use letters, digits, '-', '_', ':' or '.'";
    throw new ClientError("BAD_ARGUMENT", `the hardware id "${hwid}" has no allowed character`, hint);
  }
  if (!/^wss?:\/\/[^/]/i.test(url) || !URL.canParse(url)) throw new ClientError("BAD_URL", url);
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, "")}/${encodeURIComponent(name)}`;
  return target.href;
}
