import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { maxSongNameBytes } from "../base/limits/library.ts";
import { decodeSongName, encodeSongName } from "./song-name.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

describe("the request for a song", () => {
  test("contains the name, whatever a client sends behind it", () => {
    for (const end of ["", "\n", "\r\n", "\0", "\0\0\0", "\n\0", "\r\n\0\0"]) {
      expect(decodeSongName(bytes(`a song.mp3${end}`))).toBe("a song.mp3");
    }
    expect(decodeSongName(bytes("two\n\n"))).toBe("two\n");
  });

  test("is refused if it contains no name", () => {
    for (const request of ["", "\n", "\r\n", "\0\0", "\xff\xfe", "a".repeat(maxSongNameBytes + 1)]) {
      expect(decodeSongName(bytes(request))).toBeUndefined();
    }
    expect(decodeSongName(bytes("a".repeat(maxSongNameBytes)))).toHaveLength(maxSongNameBytes);
  });

  test("has a limit in bytes", () => {
    expect(encodeSongName("")).toBeUndefined();
    expect(encodeSongName("é".repeat(512))).toHaveLength(1024);
    expect(encodeSongName("é".repeat(513))).toBeUndefined();
  });

  test("survives a round trip, and any bytes decode without a throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), (name) => {
        fc.pre(!/[\0\n]$/.test(name));
        expect(decodeSongName(encodeSongName(name)!)).toBe(name);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1100 }), (any) => void decodeSongName(any)));
  });
});
