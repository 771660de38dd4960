import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { maxPeakJobs } from "../../base/limits/peaks.ts";
import { encodeDat, type Peaks } from "../../codec/peaks/dat.ts";
import type { EncodingEnd } from "../../pool/encoders.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { failureOf } from "../../testing/fixtures/failure-of.ts";
import { until } from "../../testing/harness/until.ts";
import { SoundPeaks } from "./sound-peaks.ts";

const peaks: Peaks = { sampleRate: 8000, samplesPerPixel: 256, channels: 1, data: Int16Array.of(-1, 1) };

let folder: ReturnType<typeof temporaryFolder>;
let stage: Stage;
beforeEach(() => {
  folder = temporaryFolder();
  stage = new Stage();
});
afterEach(() => folder[Symbol.dispose]());

/** An encoder whose sounds end when the test says so. */
class Stage {
  readonly begun: { path: string; end(end: EncodingEnd["kind"] | WavecacheError): void }[] = [];
  closed = 0;
  readonly peaks = new SoundPeaks({
    measure: ({ storePath }) => {
      const { promise: ended, resolve, reject } = Promise.withResolvers<EncodingEnd>();
      const end = (how: EncodingEnd["kind"] | WavecacheError) => {
        if (how instanceof WavecacheError) return reject(how);
        if (how === "cancelled") return resolve({ kind: how });
        writeFileSync(storePath, encodeDat(peaks));
        resolve({ kind: how, storeProblem: undefined });
      };
      this.begun.push({ path: storePath, end });
      return { ended, cancel: () => end("cancelled") };
    },
  });

  get(name: string, signal = new AbortController().signal): Promise<Peaks> {
    const close = async () => void (this.closed += 1);
    const open = async () => ({ descriptor: 0, size: 1, close });
    return this.peaks.get(join(folder.path, name), open, signal);
  }

  async untilBegun(count: number): Promise<void> {
    await until(`${count} measurements`, 5000, () => this.begun.length === count);
  }
}

describe("the peaks of sounds", () => {
  test("are measured once for all who ask, and then read", async () => {
    const asked = [stage.get("a"), stage.get("a")];
    await stage.untilBegun(1);
    stage.begun[0]!.end("complete");
    expect(await Promise.all(asked)).toEqual([peaks, peaks]);
    expect(await stage.get("a")).toEqual(peaks);
    expect([stage.begun.length, stage.closed]).toEqual([1, 1]);
  });

  test("are measured one sound at a time, and a failure does not hold up the next", async () => {
    const failing = failureOf(stage.get("a"));
    await stage.untilBegun(1);
    const next = stage.get("b");
    expect(stage.begun.length).toBe(1);
    stage.begun[0]!.end(new WavecacheError("SOUND_UNREADABLE"));
    expect(await failing).toBe("SOUND_UNREADABLE");
    await stage.untilBegun(2);
    stage.begun[1]!.end("complete");
    expect(await next).toEqual(peaks);
    expect(stage.closed).toBe(2);
  });

  test("are cancelled when the last who asked has left, and can be asked for again", async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const asked = [failureOf(stage.get("a", first.signal)), failureOf(stage.get("a", second.signal))];
    await stage.untilBegun(1);
    first.abort();
    expect(stage.closed).toBe(0);
    second.abort();
    const again = stage.get("a");
    await Promise.all(asked);
    await stage.untilBegun(2);
    stage.begun[1]!.end("complete");
    expect(await again).toEqual(peaks);
  });

  test("are refused if too many sounds wait", async () => {
    const asked = Array.from({ length: maxPeakJobs }, (_, at) => stage.get(`s${at}`));
    await stage.untilBegun(1);
    expect(await failureOf(stage.get("one more"))).toBe("PEAKS_EXHAUSTED");
    for (let at = 0; at < maxPeakJobs; at++) {
      await stage.untilBegun(at + 1);
      stage.begun[at]!.end("complete");
    }
    expect((await Promise.all(asked)).length).toBe(maxPeakJobs);
  });

  test("that are stored and damaged are measured again", async () => {
    writeFileSync(join(folder.path, "a"), "damaged");
    const asked = stage.get("a");
    await stage.untilBegun(1);
    stage.begun[0]!.end("complete");
    expect(await asked).toEqual(peaks);
  });
});
