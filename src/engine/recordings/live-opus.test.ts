import { describe, expect, test } from "bun:test";
import type { ListenMode } from "../../lane/messages/recordings.ts";
import type { LiveEncodingEvents } from "../../pool/live-encodings.ts";
import type { LiveTask } from "../../store/sounds/encoder-calls.ts";
import { LiveFeed } from "./live-feed.ts";
import { LiveOpus } from "./live-opus.ts";

class Ear {
  heard = "";
  packets(packets: readonly Uint8Array[]): void {
    this.heard += packets.map((packet) => packet[0]).join("");
  }
  end(): void {
    this.heard += "|";
  }
}

/** A feed and an encoder. */
class Stage {
  readonly said: string[] = [];
  readonly tasks: LiveTask[] = [];
  readonly feed = new LiveFeed(100, (mode: ListenMode) => void this.said.push(mode));
  readonly opus: LiveOpus;
  events: LiveEncodingEvents | undefined;
  hasRoom = true;
  refusal: Error | undefined;

  constructor(sampleRate = 16_000) {
    this.opus = new LiveOpus({
      feed: this.feed,
      sampleRate,
      channels: 2,
      wavPath: (name) => `/r/${name}.wav`,
      encode: (task, events) => {
        if (this.refusal !== undefined) throw this.refusal;
        this.tasks.push(task);
        this.events = events;
        return {
          push: (pcm) => {
            this.said.push(`push ${pcm.length}`);
            return this.hasRoom;
          },
          close: () => void this.said.push("close"),
        };
      },
      countSkipped: (bytes) => void this.said.push(`skipped ${bytes}`),
      failed: () => void this.said.push("failed"),
    });
  }

  encoded(...numbers: number[]): void {
    this.events!.packets(numbers.map((number) => Uint8Array.of(number)));
  }
}

describe("live audio as Opus", () => {
  test("is encoded once for all listeners, from the files on, and only while there are any", () => {
    const stage = new Stage();
    const [first, second, third] = [new Ear(), new Ear(), new Ear()];
    stage.opus.add(first);
    stage.feed.acknowledge([{ name: "a", samples: 3 }]);
    expect(stage.tasks).toEqual([
      { sampleRate: 16_000, channels: 2, past: [{ path: "/r/a.wav", samples: 3 }] },
    ]);
    stage.encoded(1, 2);
    stage.feed.push(new Uint8Array(8), 0);
    stage.opus.add(second);
    stage.encoded(3);
    stage.opus.remove(first);
    stage.encoded(4);
    expect([first.heard, second.heard]).toEqual(["123", "1234"]);
    stage.opus.remove(second);
    expect(stage.said).toEqual(["afterFiles", "push 8", "off", "close"]);
    stage.opus.add(third);
    stage.feed.acknowledge([]);
    stage.encoded(5);
    expect(third.heard).toBe("5");
    stage.feed.end();
    expect([first.heard, second.heard, third.heard]).toEqual(["123", "1234", "5|"]);
  });

  test("starts later listeners with the last five seconds", () => {
    const stage = new Stage();
    stage.opus.add(new Ear());
    stage.feed.acknowledge([]);
    for (let packet = 0; packet < 300; packet++) stage.encoded(packet % 10);
    const late = new Ear();
    stage.opus.add(late);
    expect(late.heard).toBe("0123456789".repeat(25));
  });

  test("counts what the encoder has no room for", () => {
    const stage = new Stage();
    stage.opus.add(new Ear());
    stage.feed.acknowledge([]);
    stage.hasRoom = false;
    stage.feed.push(new Uint8Array(8), 0);
    expect(stage.said.slice(1)).toEqual(["push 8", "skipped 8"]);
  });

  test("ends for all listeners if the encoder fails or refuses, and the next one starts anew", () => {
    const stage = new Stage();
    const [first, second] = [new Ear(), new Ear()];
    stage.opus.add(first);
    stage.feed.acknowledge([]);
    stage.events!.failed(Object.assign(new Error("lost")) as never);
    stage.refusal = new Error("too many");
    stage.opus.add(second);
    stage.feed.acknowledge([]);
    expect([first.heard, second.heard, stage.opus.listeners]).toEqual(["|", "|", 0]);
    stage.refusal = undefined;
    stage.opus.add(first);
    stage.feed.acknowledge([]);
    stage.encoded(1);
    expect(first.heard).toBe("|1");
  });

  test("is refused for sample rates that cannot be resampled", () => {
    for (const rate of [999, 384_001])
      expect(() => new Stage(rate).opus.add(new Ear())).toThrow("sample rate cannot be encoded");
    const stage = new Stage(192_000);
    stage.opus.add(new Ear());
    expect(stage.opus.listeners).toBe(1);
  });
});
