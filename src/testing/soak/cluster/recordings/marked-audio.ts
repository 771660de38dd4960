/**
 * Audio in which every sample says where it belongs, whatever cuts it later: nothing has to be aligned, and a sample that
 * is lost, doubled or wrong is seen at once.
 *
 *     PCM    stereo; the left and right channel are the low and high 16 bits of the sample's number
 *     ADPCM  mono; all samples of a frame have the value of the frame's number: with step index 0 and nibbles of +0 and -0,
 *            they keep the predictor of its header
 */
import type { DeviceFormat } from "../../../harness/peers/ingest-device.ts";

/** Consecutive samples, a channel, of one device. */
export interface Run {
  first: number;
  count: number;
}

const sampleRate = 8000;
const plusAndMinusZero = 0x80;
const adpcmHeaderBytes = 4;

export interface MarkedAudio {
  readonly format: DeviceFormat;
  /** Of a frame, from 1: position 0 would be as digital silence is. */
  payload(frame: number): Buffer;
  /** What interleaved samples are, in their order. */
  runs(samples: Int16Array): Run[];
}

const pcmSamples = 160;

export const markedPcm: MarkedAudio = {
  format: { streamId: 1, sampleRate, channels: 2, codec: 0, frameSamples: pcmSamples },
  payload(frame) {
    const payload = Buffer.alloc(4 * pcmSamples);
    for (let at = 0; at < pcmSamples; at += 1) payload.writeUInt32LE(frame * pcmSamples + at, 4 * at);
    return payload;
  },
  runs(samples) {
    const runs: Run[] = [];
    for (let at = 0; at < samples.length; at += 2) {
      const position = ((samples[at + 1]! << 16) | (samples[at]! & 0xffff)) >>> 0;
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === position) last.count += 1;
      else runs.push({ first: position, count: 1 });
    }
    return runs;
  },
};

const adpcmSamples = 320;
/** Frames have 16 bits. */
const maxAdpcmFrame = 0xffff;

export const markedAdpcm: MarkedAudio = {
  format: { streamId: 2, sampleRate, channels: 1, codec: 1, frameSamples: adpcmSamples },
  payload(frame) {
    if (frame > maxAdpcmFrame) throw new RangeError(`frame ${frame}`);
    const payload = Buffer.alloc(adpcmHeaderBytes + adpcmSamples / 2, plusAndMinusZero);
    payload.writeUInt16LE(frame, 0);
    payload.writeUInt16LE(0, 2);
    return payload;
  },
  runs(samples) {
    const frames: { frame: number; count: number }[] = [];
    for (const sample of samples) {
      const frame = sample & 0xffff;
      const last = frames.at(-1);
      if (last?.frame === frame && last.count < adpcmSamples) last.count += 1;
      else frames.push({ frame, count: 1 });
    }
    return joined(frames.map((each, at) => placed(each.frame, each.count, at === 0)));
  },
};

/** Samples of one frame: those of the first frame are its end, those of others its beginning. */
function placed(frame: number, count: number, isFirst: boolean): Run {
  const start = frame * adpcmSamples;
  return { first: isFirst ? start + Math.max(0, adpcmSamples - count) : start, count };
}

function joined(all: readonly Run[]): Run[] {
  const runs: Run[] = [];
  for (const { first, count } of all) {
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === first) last.count += count;
    else runs.push({ first, count });
  }
  return runs;
}
