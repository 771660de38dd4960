/**
 * Live listening over a WebSocket, for players that must start at once. The listener opens `/live/NAME` and sends nothing.
 * Each message of the server is one binary message with audio; numbers are little-endian.
 *
 *     struct {
 *       u32 magic;             // 0x31564C57, the text "WLV1"
 *       u32 sampleRate;        // Hz
 *       u16 channels;
 *       u16 flags;             // 1: audio is missing before this message
 *       u32 skipped;           // how much: samples a channel; 0 without the flag
 *       f64 timeMs;            // when the server received the first sample, in ms since 1970
 *       i16 samples[];         // interleaved, whole samples of all channels
 *     }
 *
 * Time within a recording goes by its sample rate, as in the timeline. It jumps where the device has lost frames or has
 * paused; then nothing is skipped. The format does not change during a connection.
 */

export const liveHeaderBytes = 24;

const magic = 0x31564c57;
const flagGap = 1;
const maxSkipped = 0xffffffff;

export interface LiveAudio {
  /** In Hz. */
  sampleRate: number;
  channels: number;
  /** Samples a channel that are missing before these. */
  skipped: number;
  /** When the server received the first sample, in ms since 1970. */
  timeMs: number;
  /** PCM16, interleaved. */
  pcm: Uint8Array;
}

export function encodeLiveAudio({ sampleRate, channels, skipped, timeMs, pcm }: LiveAudio): Uint8Array {
  const message = new Uint8Array(liveHeaderBytes + pcm.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, sampleRate, true);
  view.setUint16(8, channels, true);
  view.setUint16(10, skipped > 0 ? flagGap : 0, true);
  view.setUint32(12, Math.min(skipped, maxSkipped), true);
  view.setFloat64(16, timeMs, true);
  message.set(pcm, liveHeaderBytes);
  return message;
}

/** Undefined for what is no such message. `pcm` is a view of it. */
export function decodeLiveAudio(message: Uint8Array): LiveAudio | undefined {
  if (message.length < liveHeaderBytes) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const sampleRate = view.getUint32(4, true);
  const channels = view.getUint16(8, true);
  if (view.getUint32(0, true) !== magic || sampleRate === 0 || channels === 0) return undefined;
  const timeMs = view.getFloat64(16, true);
  const pcm = message.subarray(liveHeaderBytes);
  if (pcm.length % (2 * channels) !== 0 || !Number.isFinite(timeMs)) return undefined;
  return { sampleRate, channels, skipped: view.getUint32(12, true), timeMs, pcm };
}
