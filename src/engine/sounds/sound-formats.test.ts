import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import OpusScript from "opusscript";
import { OggOpusParser } from "../../codec/ogg/ogg-opus.ts";
import { isPlainOpusPacket, opusFrameSamples, opusSampleRate } from "../../codec/opus.ts";
import { OpusEncoder } from "../../codec/opus-encoder.ts";
import { Resampler } from "../../codec/resample.ts";
import { testLimitMs } from "../../testing/harness/until.ts";
import { oggFile, opusHead, opusTags } from "../../testing/fixtures/ogg.ts";
import { packetsOfSound, TestSounds } from "../../testing/harness/servers/sounds.ts";
import {
  correlation,
  heard,
  inChannels,
  level,
  pcm16,
  signal,
  soundWav,
  type TestEncoding,
} from "../../testing/fixtures/sound.ts";
import { samplesOf, wavAdpcmFile } from "../../testing/fixtures/wav.ts";

setDefaultTimeout(testLimitMs);

const sample = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dir, "../../../data/samples", name)));
const expected = signal(opusSampleRate);
const expectedPackets = Math.ceil(expected.length / opusFrameSamples);

async function packetsOfFile(name: string, bytes: Uint8Array): Promise<Uint8Array[]> {
  await using bench = new TestSounds();
  bench.put(name, bytes);
  const sounds = await bench.start();
  const packets = await packetsOfSound(await sounds.open(0));
  for (const packet of packets) expect(isPlainOpusPacket(packet)).toBe(true);
  return packets;
}

/** The mean of all channels of a PCM16 sample, resampled to 48 kHz. */
function monoOfSample(name: string, channels: number, sampleRate: number): Float32Array {
  const pcm = samplesOf(sample(name).subarray(44));
  const mono = Float32Array.from({ length: pcm.length / channels }, (_, at) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += pcm[at * channels + channel]!;
    return sum / channels / 32_768;
  });
  const resampler = new Resampler(sampleRate, opusSampleRate);
  return Float32Array.from([...resampler.push(mono), ...resampler.end()]);
}

/** Encodes the signal with libopus, also with channels and packet lengths that devices do not get. */
function opusPackets(channels: number, samples: number): Uint8Array[] {
  const encoder = new OpusScript(opusSampleRate, channels, OpusScript.Application.AUDIO);
  const pcm = inChannels(pcm16(expected), channels);
  const packets: Uint8Array[] = [];
  for (let at = 0; at + samples * channels <= pcm.length; at += samples * channels) {
    const frame = pcm.subarray(at, at + samples * channels);
    packets.push(
      new Uint8Array(encoder.encode(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength), samples)),
    );
  }
  encoder.delete();
  return packets;
}

describe("a sound decodes to its source, if the source is", () => {
  test.each<[number, number, TestEncoding]>([
    [8_000, 1, "u8"],
    [11_025, 2, "s16"],
    [16_000, 1, "s16"],
    [22_050, 1, "f64"],
    [44_056, 1, "s16"],
    [44_100, 2, "s24"],
    [48_000, 1, "f32"],
    [96_000, 1, "s32"],
    [192_000, 8, "s16"],
  ])("WAV of %d Hz in %d channels of %s", async (sampleRate, channels, encoding) => {
    const file = soundWav(signal(sampleRate), sampleRate, channels, encoding);
    const packets = await packetsOfFile("startup.wav", file);
    expect(packets.length).toBe(expectedPackets);
    const sound = await heard(packets);
    expect(correlation(expected, sound)).toBeGreaterThan(0.95);
    expect(level(sound) / level(expected)).toBeWithin(0.9, 1.1);
  });

  test.each([
    [1, 22_050],
    [2, 44_100],
  ])("WAV of IMA ADPCM in %d channels", async (channels, sampleRate) => {
    const file = wavAdpcmFile(inChannels(pcm16(signal(sampleRate)), channels), channels, sampleRate);
    const sound = await heard(await packetsOfFile("startup.wav", file));
    expect(correlation(expected, sound)).toBeGreaterThan(0.95);
  });

  test("MP3", async () => {
    const source = monoOfSample("music-44k-stereo.wav", 2, 44_100).subarray(0, 3 * opusSampleRate);
    const sound = await heard(await packetsOfFile("startup.mp3", sample("music-44k-stereo.mp3")));
    expect(sound.length / opusSampleRate).toBeWithin(7.9, 8.2);
    expect(correlation(source, sound, 2_000)).toBeGreaterThan(0.95);
  });

  test("Opus in Ogg, whose packets pass unchanged if devices can play them", async () => {
    const file = sample("speech-16k-mono.opus");
    const packets = await packetsOfFile("startup.opus", file);
    expect(packets).toEqual(new OggOpusParser().push(file).flatMap((run) => run.packets));
    const source = monoOfSample("speech-16k-mono.wav", 1, 16_000).subarray(0, 3 * opusSampleRate);
    expect(correlation(source, await heard(packets))).toBeGreaterThan(0.95);
  });

  test.each([
    [2, 960, "in stereo"],
    [1, 1920, "in packets of 40 ms"],
    [1, 480, "in packets of 10 ms"],
  ])("Opus in Ogg with %d channels and %d samples a packet: %s", async (channels, samples) => {
    const coded = opusPackets(channels, samples);
    const file = oggFile([opusHead({ channels, preSkip: 312 }), opusTags(), ...coded]);
    const packets = await packetsOfFile("startup.ogg", file);
    expect(packets.length).toBe(Math.ceil((coded.length * samples - 312) / opusFrameSamples));
    expect(correlation(expected, await heard(packets))).toBeGreaterThan(0.95);
  });

  test("Opus in Ogg with a gain, which is applied", async () => {
    const coded = opusPackets(1, 960);
    const plain = await heard(
      await packetsOfFile("startup.ogg", oggFile([opusHead(), opusTags(), ...coded])),
    );
    const quieter = oggFile([opusHead({ gain: -256 * 12 }), opusTags(), ...coded]);
    const sound = await heard(await packetsOfFile("startup.ogg", quieter));
    expect(20 * Math.log10(level(sound) / level(plain))).toBeWithin(-12.5, -11.5);
  });

  test("Opus in Ogg whose end is trimmed by its last granule position", async () => {
    const encoder = new OpusEncoder();
    const coded = Array.from({ length: 20 }, () => encoder.encode(new Int16Array(opusFrameSamples)));
    encoder.free();
    const file = oggFile([opusHead({ gain: 1 }), opusTags(), ...coded], { endGranule: 5_000n });
    expect((await packetsOfFile("startup.ogg", file)).length).toBe(Math.ceil(5_000 / opusFrameSamples));
  });
});
