/**
 * Live ingest: a device opens a WebSocket, announces its audio in a handshake, then sends audio frames. The handshake
 * and each frame are one binary WebSocket message; numbers are little-endian.
 *
 *     struct {                    // handshake: 32 bytes, more are ignored
 *       u32 magic;                // 0x41445043
 *       u16 version;              // 1
 *       u16 headerBytes;          // 32
 *       u32 streamId;
 *       u32 sampleRate;           // Hz
 *       u16 channels;
 *       u16 codec;                // 0 PCM16, 1 IMA ADPCM
 *       u16 frameSamples;         // samples a channel in a full frame
 *       u16 reserved;             // ignored
 *       u64 timestampMs;          // the device's clock
 *     }
 *     struct {                    // frame
 *       u32 magic;                // 0x464D4350 PCM16, 0x41445046 IMA ADPCM
 *       u32 length;               // of the payload, which is the rest of the message
 *       u32 seq;                  // plus 1 each frame; a gap means lost frames
 *       u8  payload[length];
 *     }
 *
 * A payload of PCM16 is whole sample frames, interleaved, up to frameSamples of them; the last frame of a file is
 * shorter. A payload of IMA ADPCM is 4 bytes of header a channel, then nibbles, with some room beyond frameSamples.
 *
 * A wrong message is answered with close 1008 and a reason that peers know, the first of these that applies:
 *   - `invalid handshake`: the message is too short, or a field has an impossible value;
 *   - `invalid audio frame`: the frame is too short, its magic belongs to no codec, or its length is not that of the
 *     payload (a recording stores frames back to back, so a wrong length would lose all frames after it);
 *   - `frame codec mismatch`: the frame has another codec than the handshake. A handshake with a codec other than 0
 *     and 1 is accepted, but each of its frames is refused with this reason;
 *   - `frame payload size invalid`: a frame of this codec cannot have a payload of this size.
 */

export const codecPcm16 = 0;
export const codecImaAdpcm = 1;

const handshakeBytes = 32;
export const frameHeaderBytes = 12;

/** Above what any device sends, and low enough for the fields of a WAV header. */
export const maxIngestChannels = 32;
export const maxSampleRate = 768_000;

/** Bytes of a sanitised hwid in UTF-8: it becomes part of file names, which may have 255 bytes. */
export const maxHwidBytes = 128;

/** The first message of a device. */
export interface Handshake {
  /** u32. */
  streamId: number;
  /** In Hz, 1 to `maxSampleRate`. */
  sampleRate: number;
  /** 1 to `maxIngestChannels`. */
  channels: number;
  /** u16; `codecPcm16`, `codecImaAdpcm`, or a number that no frame can match. */
  codec: number;
  /** Samples a channel in a full frame, u16. */
  frameSamples: number;
  /** The device's clock in ms since 1970, u64; not exact beyond 2^53. */
  timestampMs: number;
}

/** A frame; the payload is a view into the message. */
export interface Frame {
  /** u32. */
  seq: number;
  payload: Uint8Array;
}

/** Why a frame is refused, as the reason of the close. */
export type FrameRefusal = "invalid audio frame" | "frame codec mismatch" | "frame payload size invalid";

export type IngestRefusal = "invalid handshake" | FrameRefusal;

/** Close code of every refusal. */
export const refusalCloseCode = 1008;
/** The close after a text message. */
export const textMessageClose = { code: 1003, reason: "binary required" } as const;

const handshakeMagic = 0x41445043;
const version = 1;
const pcm16Magic = 0x464d4350;
const imaAdpcmMagic = 0x41445046;

/** Decodes the first message of a connection: a handshake, or its refusal. Never throws. */
export function decodeHandshake(message: Uint8Array): Handshake | "invalid handshake" {
  if (message.length < handshakeBytes) return "invalid handshake";
  const isOurs = u32(message, 0) === handshakeMagic && u16(message, 4) === version;
  if (!isOurs || u16(message, 6) !== handshakeBytes) return "invalid handshake";
  const sampleRate = u32(message, 12);
  const channels = u16(message, 16);
  if (sampleRate < 1 || sampleRate > maxSampleRate) return "invalid handshake";
  if (channels < 1 || channels > maxIngestChannels) return "invalid handshake";
  return {
    streamId: u32(message, 8),
    sampleRate,
    channels,
    codec: u16(message, 18),
    frameSamples: u16(message, 20),
    timestampMs: u32(message, 24) + u32(message, 28) * 2 ** 32,
  };
}

/** Encodes a handshake to 32 bytes. */
export function encodeHandshake(handshake: Handshake): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(handshakeBytes);
  putU32(out, 0, handshakeMagic);
  putU16(out, 4, version);
  putU16(out, 6, handshakeBytes);
  putU32(out, 8, handshake.streamId);
  putU32(out, 12, handshake.sampleRate);
  putU16(out, 16, handshake.channels);
  putU16(out, 18, handshake.codec);
  putU16(out, 20, handshake.frameSamples);
  putU32(out, 24, handshake.timestampMs % 2 ** 32);
  putU32(out, 28, Math.floor(handshake.timestampMs / 2 ** 32));
  return out;
}

/**
 * Why a message is not a frame that fits the handshake; undefined if it is one. Allocates nothing: the server checks
 * every frame with it, then forwards the message unchanged.
 */
export function refuseFrame(handshake: Handshake, message: Uint8Array): FrameRefusal | undefined {
  const whole = frameBytesAt(message, 0);
  if (whole === 0 || whole !== message.length) return "invalid audio frame";
  const { codec, channels, frameSamples } = handshake;
  if (codec !== codecOfMagic(u32(message, 0))) return "frame codec mismatch";
  const bytes = message.length - frameHeaderBytes;
  const fits =
    codec === codecPcm16
      ? isPcm16Payload(bytes, channels, frameSamples)
      : isImaAdpcmPayload(bytes, channels, frameSamples);
  return fits ? undefined : "frame payload size invalid";
}

/** Decodes a frame without copying its payload: a frame, or its refusal. Never throws. */
export function decodeFrame(handshake: Handshake, message: Uint8Array): Frame | FrameRefusal {
  const refusal = refuseFrame(handshake, message);
  if (refusal !== undefined) return refusal;
  return { seq: frameSeq(message, 0), payload: message.subarray(frameHeaderBytes) };
}

/** The sequence number of the frame at `bytes[at]`. The caller knows that a frame is there. */
export function frameSeq(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + 8);
}

/** The sequence number after `seq`; they wrap at 2^32. */
export function nextSeq(seq: number): number {
  return (seq + 1) >>> 0;
}

/** Frames missing between two sequence numbers; 0 if the second is not ahead of the first. */
export function lostBetween(seq: number, later: number): number {
  const ahead = (later - nextSeq(seq)) >>> 0;
  return ahead < 2 ** 31 ? ahead : 0;
}

/** The codec of the frame whose first 4 bytes are at `bytes[at]`; undefined if no frame begins there. */
export function codecOfFrame(bytes: Uint8Array, at: number): number | undefined {
  return codecOfMagic(u32(bytes, at));
}

/**
 * Bytes of the frame at `bytes[at]` including its header; 0 if no whole frame is there. A caller walks the frames of a
 * recording with it, up to the torn frame that a crash left.
 */
export function frameBytesAt(bytes: Uint8Array, at: number): number {
  if (at + frameHeaderBytes > bytes.length || codecOfMagic(u32(bytes, at)) === undefined) return 0;
  const whole = frameHeaderBytes + u32(bytes, at + 4);
  return at + whole <= bytes.length ? whole : 0;
}

/**
 * Writes the 12-byte header of a frame with `payloadBytes` bytes of payload at `out[at]`. With the payload right behind
 * it the frame needs no copy.
 */
export function encodeFrameHeader(
  out: Uint8Array,
  at: number,
  codec: number,
  seq: number,
  payloadBytes: number,
): void {
  if (at + frameHeaderBytes > out.length) throw new RangeError("no room for the header of a frame");
  putU32(out, at, codec === codecPcm16 ? pcm16Magic : imaAdpcmMagic);
  putU32(out, at + 4, payloadBytes);
  putU32(out, at + 8, seq);
}

/** Maximal bytes of an IMA ADPCM payload. */
export function maxImaAdpcmPayload(channels: number, frameSamples: number): number {
  const nibbles = 4 + ((frameSamples * channels) >> 1) + 16;
  // Each channel has a header and a padded last word. One channel alone always fits the line above.
  return Math.max(nibbles, 4 * channels * (1 + Math.ceil(frameSamples / 8)));
}

/**
 * A hardware id as part of a file name: Unicode letters, decimal digits, `-` and `_` stay; `:` and `.` become `_`;
 * everything else is dropped, and the result is cut at `maxHwidBytes`. Undefined if nothing remains.
 */
export function sanitizeHwid(hwid: string): string | undefined {
  let kept = "";
  let bytes = 0;
  for (const character of hwid) {
    const safe = character === ":" || character === "." ? "_" : character;
    if (!/^[\p{L}\p{Nd}_-]$/u.test(safe)) continue;
    bytes += Buffer.byteLength(safe);
    if (bytes > maxHwidBytes) break;
    kept += safe;
  }
  return kept === "" ? undefined : kept;
}

/**
 * The name of a recording without its extension: `stream_{streamId}[_{hwid}]_{yyyyMMdd_HHmmss}` in UTC. The caller has
 * sanitised `hwid`; `openedMs` is ms since 1970.
 */
export function recordingName(streamId: number, hwid: string | undefined, openedMs: number): string {
  const time = new Date(openedMs).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "_");
  return hwid === undefined ? `stream_${streamId}_${time}` : `stream_${streamId}_${hwid}_${time}`;
}

function codecOfMagic(magic: number): number | undefined {
  if (magic === pcm16Magic) return codecPcm16;
  return magic === imaAdpcmMagic ? codecImaAdpcm : undefined;
}

function isPcm16Payload(bytes: number, channels: number, frameSamples: number): boolean {
  return bytes % (2 * channels) === 0 && bytes <= frameSamples * channels * 2;
}

function isImaAdpcmPayload(bytes: number, channels: number, frameSamples: number): boolean {
  return bytes >= 4 * channels && bytes <= maxImaAdpcmPayload(channels, frameSamples);
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}

function putU16(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >> 8;
}

function putU32(out: Uint8Array, at: number, value: number): void {
  putU16(out, at, value);
  putU16(out, at + 2, value >>> 16);
}
