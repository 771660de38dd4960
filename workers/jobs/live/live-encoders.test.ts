import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { encodeWavHeader } from "../../../src/codec/wav/wav.ts";
import type { EncoderReply } from "../../../src/store/sounds/encoder-calls.ts";
import { splitPackets } from "../../../src/store/sounds/packets.ts";
import { heard } from "../../../src/testing/fixtures/sound.ts";
import { temporaryFolder } from "../../../src/testing/fixtures/temporary-folder.ts";
import { testLimitMs, until } from "../../../src/testing/harness/until.ts";
import { LiveEncoders } from "./live-encoders.ts";

setDefaultTimeout(testLimitMs);

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

/** Seconds of a tone of 1 kHz in all channels. */
function tone(sampleRate: number, channels: number, seconds: number): Uint8Array {
  const pcm = new Int16Array(Math.round(sampleRate * seconds) * channels);
  for (let at = 0; at < pcm.length; at++)
    pcm[at] = Math.round(8000 * Math.sin((2 * Math.PI * 1000 * Math.floor(at / channels)) / sampleRate));
  return new Uint8Array(pcm.buffer);
}

class Stage {
  readonly replies: EncoderReply[] = [];
  readonly encoders = new LiveEncoders((reply) => void this.replies.push(reply));

  get packets(): Uint8Array[] {
    return this.replies.flatMap((reply) => (reply.kind === "live" ? splitPackets(reply) : []));
  }

  get pushes(): number {
    return this.replies.reduce((sum, reply) => sum + (reply.kind === "live" ? reply.pushes : 0), 0);
  }
}

/** How strong a tone is within samples at 48 kHz. */
function strength(samples: Float32Array, hertz: number): number {
  let [re, im] = [0, 0];
  for (const [at, sample] of samples.entries()) {
    re += sample * Math.cos((2 * Math.PI * hertz * at) / 48_000);
    im += sample * Math.sin((2 * Math.PI * hertz * at) / 48_000);
  }
  return (2 * Math.hypot(re, im)) / samples.length;
}

describe("live audio", () => {
  test.each([4_000, 8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000])(
    "of %d Hz is encoded as the same sound",
    async (sampleRate) => {
      const stage = new Stage();
      stage.encoders.open(1, { sampleRate, channels: 2, past: [] });
      const audio = tone(sampleRate, 2, 1);
      const frameBytes = 4 * Math.floor(sampleRate / 50);
      for (let at = 0; at < audio.length; at += frameBytes)
        stage.encoders.push(1, audio.subarray(at, at + frameBytes));
      const pushes = Math.ceil(audio.length / frameBytes);
      await until("all pushes to be encoded", 10_000, () => stage.pushes === pushes);
      expect(stage.packets.length).toBeWithin(46, 51);
      expect(new Set(stage.packets.map((packet) => packet.length))).toEqual(new Set([160]));
      const sound = (await heard(stage.packets)).subarray(9_600, 38_400);
      expect(strength(sound, 1000)).toBeWithin(0.2, 0.28);
      stage.encoders.closeAll();
    },
  );

  test("begins with the last five seconds of the files, and goes on with what is pushed meanwhile", async () => {
    const stage = new Stage();
    const past = [3, 4].map((seconds, number) => {
      const audio = tone(16_000, 1, seconds);
      const path = `${folder.path}/${number}.wav`;
      // More has been written meanwhile.
      writeFileSync(path, Buffer.concat([encodeWavHeader(16_000, 1, undefined), audio, new Uint8Array(640)]));
      return { path, samples: 16_000 * seconds };
    });
    stage.encoders.open(1, { sampleRate: 16_000, channels: 1, past });
    const audio = tone(16_000, 1, 1);
    for (let at = 0; at < audio.length; at += 640) stage.encoders.push(1, audio.subarray(at, at + 640));
    await until("all pushes to be encoded", 10_000, () => stage.pushes === 50);
    expect(stage.packets.length).toBeWithin(297, 301);
    const sound = await heard(stage.packets);
    for (let at = 9_600; at + 4_800 < sound.length - 4_800; at += 4_800)
      expect(strength(sound.subarray(at, at + 4_800), 1000)).toBeWithin(0.2, 0.28);
    stage.encoders.closeAll();
  });

  test("does without files that are gone or shorter, and those before them", async () => {
    const stage = new Stage();
    const present = `${folder.path}/present.wav`;
    writeFileSync(present, Buffer.concat([encodeWavHeader(16_000, 1, undefined), tone(16_000, 1, 1)]));
    const task = { sampleRate: 16_000, channels: 1 };
    const gone = { path: `${folder.path}/gone.wav`, samples: 16_000 };
    stage.encoders.open(1, { ...task, past: [{ path: present, samples: 16_000 }, gone] });
    stage.encoders.open(2, { ...task, past: [{ path: present, samples: 16_001 }] });
    for (const id of [1, 2]) stage.encoders.push(id, tone(16_000, 1, 0.1));
    await until("both to be encoded", 10_000, () => stage.pushes === 2);
    expect(stage.packets.length).toBeWithin(6, 11);
    stage.encoders.closeAll();
  });

  test("fails if a file cannot be read, and is not encoded any more", async () => {
    const stage = new Stage();
    stage.encoders.open(1, { sampleRate: 16_000, channels: 1, past: [{ path: folder.path, samples: 9 }] });
    expect(stage.replies).toMatchObject([{ kind: "liveFailed", id: 1 }]);
    stage.encoders.push(1, tone(16_000, 1, 1));
    stage.encoders.open(2, { sampleRate: 16_000, channels: 1, past: [] });
    stage.encoders.push(2, tone(16_000, 1, 0.1));
    stage.encoders.close(2);
    stage.encoders.push(2, tone(16_000, 1, 0.1));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(stage.replies.length).toBeLessThanOrEqual(2);
  });
});
