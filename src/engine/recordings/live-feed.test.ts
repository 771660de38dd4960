import { describe, expect, test } from "bun:test";
import { LiveFeed } from "./live-feed.ts";

describe("a live feed", () => {
  class Ear {
    heard = "";
    isOver = false;
    push(pcm: Uint8Array): void {
      this.heard += Buffer.from(pcm).toString();
    }
    end(): void {
      this.isOver = true;
    }
  }

  test("requests audio while there are listeners, and starts later ones with recent audio", () => {
    const wanted: boolean[] = [];
    const feed = new LiveFeed(4, (value) => void wanted.push(value));
    const [first, second, third] = [new Ear(), new Ear(), new Ear()];
    feed.push(Buffer.from("nobody"));
    feed.add(first);
    feed.acknowledge();
    const view = Buffer.from("ab");
    feed.push(view);
    view.fill(0);
    for (const piece of ["cd", "ef", "gh"]) feed.push(Buffer.from(piece));
    feed.add(second);
    feed.push(Buffer.from("ij"));
    feed.remove(first);
    feed.push(Buffer.from("kl"));
    feed.remove(second);
    feed.remove(second);
    feed.push(Buffer.from("nobody"));
    feed.add(third);
    expect([first.heard, second.heard, third.heard]).toEqual(["abcdefghij", "efghijkl", ""]);
    expect(wanted).toEqual([true, false, true]);
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
    feed.acknowledge();
    feed.push(Buffer.from("abc"));
    feed.acknowledge();
    feed.push(Buffer.from("abc"));
    feed.push(Buffer.from("d"));
    expect([left.heard, next.heard]).toEqual(["", "abcd"]);
  });
});
