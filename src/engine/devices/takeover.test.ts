import { describe, expect, test } from "bun:test";
import { abandonedStreams } from "./takeover.ts";

const from = (peer: string) => ({ peer, isReplacement: false });
const replacing = (peer: string) => ({ peer, isReplacement: true });

describe("a takeover", () => {
  test("abandons the streams of the old channel", () => {
    const open = { events: from("old"), audio: from("old") };
    expect(abandonedStreams(open, "old", "new")).toEqual(["events", "audio"]);
  });

  test("keeps streams that came over the new channel before its status stream", () => {
    const open = { events: from("new"), audio: from("old") };
    expect(abandonedStreams(open, "old", "new")).toEqual(["audio"]);
  });

  test("abandons all streams of a device that connects again over the same channel", () => {
    const open = { events: from("same"), audio: from("same") };
    expect(abandonedStreams(open, "same", "same")).toEqual(["events", "audio"]);
  });

  test("keeps streams that replaced another one, over any channel", () => {
    expect(abandonedStreams({ events: replacing("same"), audio: from("same") }, "same", "same")).toEqual([
      "audio",
    ]);
    expect(abandonedStreams({ events: replacing("third"), audio: from("third") }, "old", "new")).toEqual([
      "audio",
    ]);
  });

  test("has nothing to abandon if only the status stream was open", () => {
    expect(abandonedStreams({ events: undefined, audio: undefined }, "old", "new")).toEqual([]);
  });
});
