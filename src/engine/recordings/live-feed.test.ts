import { describe, expect, test } from "bun:test";
import type { ListenMode, PastAudio } from "../../lane/messages/recordings.ts";
import { LiveFeed } from "./live-feed.ts";

describe("a live feed", () => {
  class Ear {
    heard = "";
    isOver = false;
    readonly times: number[] = [];
    push(pcm: Uint8Array, timeMs: number): void {
      this.heard += Buffer.from(pcm).toString();
      this.times.push(timeMs);
    }
    skip(bytes: number): void {
      this.heard += `<${bytes}>`;
    }
    start(past: PastAudio[]): void {
      this.heard += past.map(({ name, samples }) => `[${name} ${samples}]`).join("");
    }
    end(): void {
      this.isOver = true;
    }
  }

  test("requests audio while there are listeners, and starts later ones with recent audio", () => {
    const wanted: ListenMode[] = [];
    const feed = new LiveFeed(4, (mode) => void wanted.push(mode));
    const [first, second, third] = [new Ear(), new Ear(), new Ear()];
    feed.push(Buffer.from("nobody"), 0);
    feed.add(first);
    feed.acknowledge([]);
    const view = Buffer.from("ab");
    feed.push(view, 0);
    view.fill(0);
    for (const piece of ["cd", "ef", "gh"]) feed.push(Buffer.from(piece), 0);
    feed.add(second);
    feed.push(Buffer.from("ij"), 0);
    feed.remove(first);
    feed.push(Buffer.from("kl"), 0);
    feed.remove(second);
    feed.remove(second);
    feed.push(Buffer.from("nobody"), 0);
    feed.add(third);
    expect([first.heard, second.heard, third.heard]).toEqual(["abcdefghij", "efghijkl", ""]);
    expect(wanted).toEqual(["recent", "off", "recent"]);
    feed.end();
    expect([first, second, third].map((ear) => ear.isOver)).toEqual([false, false, true]);
    feed.add(second);
    expect(second.isOver).toBe(true);
  });

  test("withholds audio for listeners who have left from the next listener", () => {
    const feed = new LiveFeed(100, () => {});
    const [left, next] = [new Ear(), new Ear()];
    feed.add(left);
    feed.remove(left);
    feed.add(next);
    // The acknowledgement and audio of the first request arrive after its listener has left.
    feed.acknowledge([]);
    feed.push(Buffer.from("abc"), 0);
    feed.acknowledge([]);
    feed.push(Buffer.from("abc"), 0);
    feed.push(Buffer.from("d"), 0);
    expect([left.heard, next.heard]).toEqual(["", "abcd"]);
  });

  test("passes on the time of each piece, and what the writer has skipped", () => {
    const feed = new LiveFeed(2, () => {});
    const [first, second] = [new Ear(), new Ear()];
    feed.skip(8);
    feed.add(first);
    feed.skip(8);
    feed.acknowledge([]);
    feed.push(Buffer.from("ab"), 100);
    feed.skip(6);
    feed.push(Buffer.from("cd"), 140);
    feed.add(second);
    expect([first.heard, first.times]).toEqual(["ab<6>cd", [100, 140]]);
    expect([second.heard, second.times]).toEqual(["cd", [140]]);
  });

  test("starts a listener where the files end, while others hear everything", () => {
    const wanted: ListenMode[] = [];
    const feed = new LiveFeed(100, (mode) => void wanted.push(mode));
    const [first, past, gone, late] = [new Ear(), new Ear(), new Ear(), new Ear()];
    feed.add(first);
    feed.acknowledge([]);
    feed.push(Buffer.from("ab"), 0);
    feed.addAfterFiles(gone);
    feed.addAfterFiles(past);
    feed.remove(gone);
    feed.push(Buffer.from("cd"), 0);
    feed.skip(2);
    feed.acknowledge([{ name: "x", samples: 1 }]);
    feed.push(Buffer.from("ef"), 0);
    feed.add(late);
    feed.acknowledge([
      { name: "y", samples: 2 },
      { name: "z", samples: 1 },
    ]);
    feed.push(Buffer.from("gh"), 0);
    expect([first.heard, past.heard, gone.heard]).toEqual(["abcd<2>efgh", "[y 2][z 1]gh", ""]);
    expect(late.heard).toBe("abcdefgh");
    expect(wanted).toEqual(["recent", "afterFiles", "afterFiles"]);
  });

  test("starts where the files end for its first listener, too", () => {
    const feed = new LiveFeed(100, () => {});
    const [past, second] = [new Ear(), new Ear()];
    feed.addAfterFiles(past);
    feed.add(second);
    feed.push(Buffer.from("old"), 0);
    feed.acknowledge([{ name: "x", samples: 3 }]);
    feed.push(Buffer.from("ab"), 0);
    expect([past.heard, second.heard]).toEqual(["[x 3]ab", "ab"]);
    feed.remove(past);
    feed.end();
    expect([past.isOver, second.isOver]).toEqual([false, true]);
  });
});
