import { describe, expect, test } from "bun:test";
import { OpusDecoder } from "opus-decoder";
import { level } from "../testing/fixtures/sound.ts";
import { isPlainOpusPacket, opusFrameSamples } from "./opus.ts";
import { opusEncoderDelay, OpusEncoder } from "./opus-encoder.ts";

function frame(number: number, pitch: number): Int16Array {
  return Int16Array.from({ length: opusFrameSamples }, (_, at) => {
    const time = number * opusFrameSamples + at;
    return 9_000 * Math.sin(time * pitch) + 2_000 * Math.sin(time * pitch * 5.1);
  });
}

function encodeWhole(pitch: number, frames: number): Uint8Array[] {
  const encoder = new OpusEncoder();
  const packets = Array.from({ length: frames }, (_, number) => encoder.encode(frame(number, pitch)));
  encoder.free();
  return packets;
}

async function decoded(packets: Uint8Array[]): Promise<Float32Array> {
  const decoder = new OpusDecoder({ channels: 1 });
  await decoder.ready;
  const { channelData } = decoder.decodeFrames(packets);
  decoder.free();
  return channelData[0]!;
}

describe("the Opus encoder", () => {
  test("makes mono packets of 20 ms that decode to the samples", async () => {
    const packets = encodeWhole(0.03, 50);
    for (const packet of packets) expect(isPlainOpusPacket(packet)).toBe(true);
    const bits = packets.reduce((sum, packet) => sum + packet.length * 8, 0);
    expect(bits).toBeLessThan(1.3 * 64_000);
    const decoder = new OpusDecoder({ channels: 1 });
    await decoder.ready;
    const { samplesDecoded, errors } = decoder.decodeFrames(packets);
    decoder.free();
    expect(errors).toEqual([]);
    expect(samplesDecoded).toBe(50 * opusFrameSamples);
  });

  test("makes the same packets beside eleven busy encoders as alone", () => {
    const pitches = Array.from({ length: 12 }, (_, at) => 0.01 + 0.007 * at);
    const alone = pitches.map((pitch) => encodeWhole(pitch, 20));
    const encoders = pitches.map(() => new OpusEncoder());
    const together: Uint8Array[][] = pitches.map(() => []);
    for (let number = 0; number < 20; number++) {
      encoders.forEach((encoder, at) => together[at]!.push(encoder.encode(frame(number, pitches[at]!))));
    }
    for (const encoder of encoders) encoder.free();
    expect(together).toEqual(alone);
  });

  test("releases its memory: a thousand encoders fit one after the other where 160 at once would not", () => {
    for (let round = 0; round < 1_000; round++) {
      const encoder = new OpusEncoder();
      encoder.encode(frame(0, 0.1));
      encoder.free();
    }
  });

  test("delays the samples by as much as it says", async () => {
    const click = new Int16Array(3 * opusFrameSamples);
    click.fill(20_000, 1_000, 1_016);
    const encoder = new OpusEncoder();
    const packets = [0, 1, 2].map((at) =>
      encoder.encode(click.subarray(at * opusFrameSamples, (at + 1) * opusFrameSamples)),
    );
    encoder.free();
    const sound = await decoded(packets);
    const loudest = sound.reduce(
      (best, sample, at) => (Math.abs(sample) > Math.abs(sound[best]!) ? at : best),
      0,
    );
    expect(loudest - opusEncoderDelay).toBeWithin(1_000, 1_016);
  });

  test("makes packets that decode the same without those before them, if they are independent", async () => {
    const encoder = new OpusEncoder();
    const silence = encoder.encode(new Int16Array(opusFrameSamples));
    encoder.isIndependent = true;
    const packets = [encoder.encode(frame(0, 0.03))];
    encoder.isIndependent = false;
    for (let number = 1; number < 10; number++) packets.push(encoder.encode(frame(number, 0.03)));
    encoder.free();
    const whole = (await decoded([silence, ...packets])).subarray(opusFrameSamples);
    const cut = await decoded(packets);
    const difference = cut.map((sample, at) => sample - whole[at]!);
    expect(level(difference)).toBeLessThan(level(whole) / 100);
  });

  test("accepts whole frames only", () => {
    const encoder = new OpusEncoder();
    expect(() => encoder.encode(new Int16Array(959))).toThrow(RangeError);
    encoder.free();
  });
});
