/**
 * Parses the first byte of Opus packets:
 *
 *     config : 5   0..11 SILK, 12..15 hybrid, 16..31 CELT, with bandwidth and duration of a frame
 *     stereo : 1
 *     code   : 2   0 one frame, 1 two of equal size, 2 two, 3 a count in the next byte
 *
 * Every packet can be decoded at 48 kHz and in mono, whatever its source was. Only its duration differs.
 *
 * Source: RFC 6716, section 3.1, table 2; at most 120 ms a packet by requirement R5 of section 3.4.
 */

/** The sample rate of durations and granules, whatever the source had. */
export const opusSampleRate = 48_000;
/** Samples of 20 ms, the duration of one packet of a sound. */
export const opusFrameSamples = 960;
/** Samples of the longest packet, 120 ms. */
const maxOpusPacketSamples = 5_760;

/** Bytes of one frame, by requirement R2 of section 3.4. */
const maxOpusFrameBytes = 1_275;

/** Samples at 48 kHz of one frame, by the last bits of its config: 10, 20, 40, 60 ms or 2.5, 5, 10, 20 ms. */
const silkSamples = [480, 960, 1920, 2880];
const hybridSamples = [480, 960];
const celtSamples = [120, 240, 480, 960];

/** Duration of a packet in samples at 48 kHz; undefined if it is not an Opus packet. */
export function opusPacketSamples(packet: Uint8Array): number | undefined {
  if (packet.length === 0) return undefined;
  const frames = framesOf(packet);
  const samples = frames * opusFrameLength(packet[0]! >> 3);
  return frames > 0 && samples <= maxOpusPacketSamples ? samples : undefined;
}

/** Whether a packet has one mono frame of 20 ms, as devices expect. */
export function isPlainOpusPacket(packet: Uint8Array): boolean {
  if (packet.length === 0 || packet.length > 1 + maxOpusFrameBytes) return false;
  const [first] = packet;
  return (first! & 7) === 0 && opusFrameLength(first! >> 3) === opusFrameSamples;
}

function opusFrameLength(config: number): number {
  if (config < 12) return silkSamples[config & 3]!;
  return config < 16 ? hybridSamples[config & 1]! : celtSamples[config & 3]!;
}

/** Frames in a packet; 0 if their count is missing. */
function framesOf(packet: Uint8Array): number {
  const code = packet[0]! & 3;
  if (code < 3) return code === 0 ? 1 : 2;
  return packet.length < 2 ? 0 : packet[1]! & 63;
}
