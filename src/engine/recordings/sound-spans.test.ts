import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import { maxUnsavedSpans } from "../../base/limits/peaks.ts";
import { openLog } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { SoundSpan } from "../../store/recordings/sounds/catalog.ts";
import { SoundSpans, type SpanKeeper } from "./sound-spans.ts";

const mic = { hwid: "mic", handshake: { streamId: 7 } };

/** Spans whose keeper saves, or fails. */
class Stage {
  readonly saved: SoundSpan[][] = [];
  readonly events: string[] = [];
  isFailing = false;
  readonly spans: SoundSpans;

  constructor() {
    const call = (async (_: string, args: { spans: SoundSpan[] }) => {
      if (this.isFailing) throw new WavecacheError("DISK_FULL");
      this.saved.push(args.spans.map((span) => ({ ...span })));
      return null;
    }) as SpanKeeper["call"];
    this.spans = new SoundSpans({ call }, new RateLimitedLog(openLog("test")));
    this.spans.subscribe(({ kind, device, at }) => void this.events.push(`${kind} ${device} ${at}`));
  }
}

const span = (kind: "sound" | "silence", startedAt: number, endedAt: number | null) => ({
  device: "mic",
  streamId: 7,
  kind,
  startedAt,
  endedAt,
});

describe("the spans of sound", () => {
  test("begin and end with the news of a recording, and tell listeners", async () => {
    const { spans, saved, events } = new Stage();
    spans.change(mic, { kind: "silence", at: 1 });
    spans.change(mic, { kind: "sound", at: 2 });
    spans.change(mic, { kind: "clipping", at: 3 });
    await spans.save();
    spans.change(mic, { kind: "end", at: 4 });
    spans.release(mic, 9);
    await spans.save();
    await spans.save();
    expect(saved).toEqual([[span("silence", 1, 2), span("sound", 2, null)], [span("sound", 2, 4)]]);
    expect(events).toEqual(["audio.silent mic 1", "audio.active mic 2", "audio.clipping mic 3"]);
  });

  test("end with a recording that sends no news of its end", async () => {
    const { spans, saved } = new Stage();
    spans.change(mic, { kind: "sound", at: 5 });
    spans.release(mic, 8);
    await spans.save();
    expect(saved).toEqual([[span("sound", 5, 8)]]);
  });

  test("that cannot be saved are saved later, up to a limit", async () => {
    const stage = new Stage();
    const { spans, saved } = stage;
    stage.isFailing = true;
    for (let at = 0; at <= maxUnsavedSpans; at++) {
      spans.change(mic, { kind: at % 2 === 0 ? "sound" : "silence", at });
      if (at % 5000 === 0) await spans.save();
    }
    await spans.save();
    stage.isFailing = false;
    await spans.save();
    expect(saved[0]!.length).toBe(maxUnsavedSpans);
    expect(saved[0]![0]!.startedAt).toBe(1);
  });

  test("tell nobody who has left", () => {
    const { spans } = new Stage();
    const heard: number[] = [];
    const leave = spans.subscribe(({ at }) => void heard.push(at));
    spans.change(mic, { kind: "silence", at: 1 });
    leave();
    spans.change(mic, { kind: "sound", at: 2 });
    expect(heard).toEqual([1]);
  });
});
