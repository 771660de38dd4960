/** What one device sends: the audio format behind a handshake, and the address that names the device. */
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
  /** Samples a channel in a full frame. */
  frameSamples: number;
}

export interface FormatOptions {
  codec: IngestCodec;
  nibbles: NibbleOrder;
  sampleRate: number;
  channels: number;
  /** Length of a frame; `ingestFormat` takes the nearest that the codec can have. */
  frameMs: number;
}

/**
 * The format with frames of about `frameMs`. A full frame of ADPCM is whole bytes (whole words of 8 samples where there
 * are more channels), so that only the last one is filled up.
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
      `a frame has at most ${maxFrameSamples}; choose shorter ones`,
    );
  }
  return { codec, nibbles, sampleRate, channels, frameSamples };
}

/** The number that stands for the codec in a handshake and in frame headers. */
export function codecNumber(codec: IngestCodec): number {
  return codec === "pcm" ? codecPcm16 : codecImaAdpcm;
}

/** Bytes of a frame message of `samples` samples a channel, header included. */
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
 * The address under which a device sends: `url` with the hardware id as last part of its path. The id goes as servers
 * write it into file names, because some of them do not decode the escapes of a URL.
 */
export function deviceUrl(url: string, hwid: string | undefined): string {
  if (hwid === undefined) return url;
  const name = sanitizeHwid(hwid);
  if (name === undefined) {
    const hint = "use letters, digits, '-', '_', ':' or '.'";
    throw new ClientError("BAD_ARGUMENT", `nothing is left of the hardware id "${hwid}"`, hint);
  }
  if (!/^wss?:\/\/[^/]/i.test(url) || !URL.canParse(url)) throw new ClientError("BAD_URL", url);
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, "")}/${encodeURIComponent(name)}`;
  return target.href;
}
