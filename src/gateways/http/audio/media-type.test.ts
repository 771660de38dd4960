import { expect, test } from "bun:test";
import { audioMediaType, extensionOf, unknownMediaType } from "./media-type.ts";

test.each<[(string | null | undefined)[], string]>([
  [["audio/mpeg"], "audio/mpeg"],
  [["AUDIO/MPEG; charset=utf-8"], "audio/mpeg"],
  [[null, undefined, "audio/flac"], "audio/flac"],
  [["text/html", "audio/wav"], "audio/wav"],
  [["audio/ogg; codecs=opus"], "audio/ogg; codecs=opus"],
  [['audio/mp4;codecs="mp4a.40.2"'], "audio/mp4; codecs=mp4a.40.2"],
  [['audio/mp4; codecs="a<script>"'], "audio/mp4"],
  [["audio/ogg; codecs=opus\r\nX-Evil: 1"], "audio/ogg"],
  [["audio/mp3"], "audio/mpeg"],
  [["application/ogg"], "audio/ogg"],
  [["text/html"], unknownMediaType],
  [["audio/html"], unknownMediaType],
  [["audio/x-mpegurl"], unknownMediaType],
  [["image/svg+xml"], unknownMediaType],
  [["audio/mpeg, text/html"], unknownMediaType],
  [["audio/mpeg text/html"], unknownMediaType],
  [["constructor", "__proto__", ""], unknownMediaType],
  [[], unknownMediaType],
])("the media type of %j is %s", (candidates, expected) => {
  expect(audioMediaType(candidates)).toBe(expected);
});

test("a type has the extension that players expect, and others have none", () => {
  expect(extensionOf("audio/mpeg")).toBe("mp3");
  expect(extensionOf("audio/ogg; codecs=opus")).toBe("opus");
  expect(extensionOf("audio/ogg; codecs=vorbis")).toBe("ogg");
  expect(extensionOf(unknownMediaType)).toBeUndefined();
  expect(extensionOf("constructor")).toBeUndefined();
});
