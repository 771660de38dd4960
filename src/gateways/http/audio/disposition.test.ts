import { expect, test } from "bun:test";
import fc from "fast-check";
import { contentDisposition } from "./disposition.ts";

test.each<[string, string]>([
  ["song.mp3", 'inline; filename="song.mp3"'],
  ["My Song (1).mp3", 'inline; filename="My Song (1).mp3"'],
  ["Grün.mp3", "inline; filename=\"Gr_n.mp3\"; filename*=UTF-8''Gr%C3%BCn.mp3"],
  ["歌.wav", "inline; filename=\"_.wav\"; filename*=UTF-8''%E6%AD%8C.wav"],
  ["🎵.ogg", "inline; filename=\"__.ogg\"; filename*=UTF-8''%F0%9F%8E%B5.ogg"],
  ["it's (a) *.mp3", 'inline; filename="it\'s (a) *.mp3"'],
  ["é'(*).mp3", "inline; filename=\"_'(*).mp3\"; filename*=UTF-8''%C3%A9%27%28%2A%29.mp3"],
  ['a"b\\c.mp3', 'inline; filename="c.mp3"'],
  ['a"b.mp3', "inline; filename=\"a_b.mp3\"; filename*=UTF-8''a%22b.mp3"],
  ["100%.mp3", "inline; filename=\"100_.mp3\"; filename*=UTF-8''100%25.mp3"],
  ["album/disc 1/track.mp3", 'inline; filename="track.mp3"'],
  ["../../etc/passwd", 'inline; filename="passwd"'],
  ["C:\\music\\a.mp3", 'inline; filename="a.mp3"'],
  ["folder/", 'inline; filename="folder"'],
  ["a\r\nX-Evil: 1.mp3", 'inline; filename="aX-Evil: 1.mp3"'],
  ["gpj.\u202E3pm.exe", 'inline; filename="gpj.3pm.exe"'],
  ["\uD800.mp3", 'inline; filename=".mp3"'],
  ["..", 'inline; filename="id"'],
  ["", 'inline; filename="id"'],
  ["\u0000\u200B", 'inline; filename="id"'],
])("the name %j becomes %s", (name, expected) => {
  expect(contentDisposition("inline", name, "id")).toBe(expected);
});

test("a long name is cut", () => {
  expect(contentDisposition("attachment", "é".repeat(5000), "id").length).toBeLessThan(2000);
});

const anyText = fc
  .array(fc.oneof(fc.nat(0x10ffff), fc.nat(0xff)), { maxLength: 50 })
  .map((points) => String.fromCodePoint(...points));

test("whatever the name, the header is ASCII of one line, with one name, and decodes to a name without a path", () => {
  fc.assert(
    fc.property(anyText, (name) => {
      const header = contentDisposition("inline", name, "id");
      expect(header).toMatch(
        /^inline; filename="[\x20-\x21\x23-\x5b\x5d-\x7e]+"(; filename\*=UTF-8''[\w.!#$&+^`|~%-]+)?$/,
      );
      const encoded = /UTF-8''(.*)$/.exec(header)?.[1];
      if (encoded !== undefined) expect(decodeURIComponent(encoded)).not.toMatch(/[/\\\p{Cc}]/u);
    }),
  );
});
