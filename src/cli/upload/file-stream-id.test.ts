import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isStreamId } from "../../base/ids/stream-id.ts";
import { fileStreamId } from "./file-stream-id.ts";

/** Names that are alike: the same characters, and those that a readable id replaces. */
const part = fc.string({
  unit: fc.constantFrom("a", "b", "_", ".", "-", " ", "é", "e\u0301", "日", "/"),
  maxLength: 8,
});
const name = fc.oneof(part, fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" }));

describe("the stream id of a file", () => {
  test.each([
    ["live/take.wav", "live.take.wav"],
    ["live/cd1/take_2.wav", "live.cd1.take_2.wav"],
    ["live/cd 1/Été.wav", /^live\.cd_1\.Ete-[0-9a-f]{16}\.wav$/],
    ["live/日本.wav", /^live\.__-[0-9a-f]{16}\.wav$/],
    ["live/take", /^live\.take-[0-9a-f]{16}$/],
    ["live/take.1.wav", /^live\.take\.1-[0-9a-f]{16}\.wav$/],
  ])("of %s is readable", (fullName, expected) => {
    expect(fileStreamId(fullName)).toMatch(expected);
  });

  test("is valid and its own, whatever other names there are", () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 50 }), (names) => {
        const ids = names.map(fileStreamId);
        expect(ids.filter((id) => !isStreamId(id))).toEqual([]);
        expect(new Set(ids).size).toBe(names.length);
      }),
    );
  });

  test.each([
    ["a/b.wav", "a.b/wav"],
    ["a/b.wav", "a.b.wav"],
    ["a/é.wav", "a/è.wav"],
    ["a/é.wav", "a/e\u0301.wav"],
    ["a/é.wav", "a/é.wav".toUpperCase()],
    ["one/track01.wav", "two/track01.wav"],
    [`${"long/".repeat(60)}a.wav`, `${"long/".repeat(60)}b.wav`],
  ])("differs for %s and %s", (first, second) => {
    expect(fileStreamId(first)).not.toBe(fileStreamId(second));
  });

  test("is never that of a name which already looks like an id with a hash", () => {
    const hashed = fileStreamId("a/é.wav");
    const lookalike = `a/${hashed.slice(2)}`;
    expect(fileStreamId(lookalike)).not.toBe(hashed);
  });
});
