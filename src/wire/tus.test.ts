import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeBytes, decodeChecksum, decodeMetadata, encodeMetadata } from "./tus.ts";

function metadata(text: string): Record<string, string> {
  return Object.fromEntries(decodeMetadata(new Headers({ "upload-metadata": text })));
}

function checksum(text: string) {
  return decodeChecksum(new Headers({ "upload-checksum": text }));
}

function offset(text: string) {
  return decodeBytes("Upload-Offset", new Headers({ "upload-offset": text }));
}

describe("Upload-Metadata", () => {
  test.each([
    ["", {}],
    ["filename c29uZy5tcDM=", { filename: "song.mp3" }],
    ["filename c29uZy5tcDM=,filetype YXVkaW8vbXBlZw==", { filename: "song.mp3", filetype: "audio/mpeg" }],
    ["filename c29uZy5tcDM= , filetype YXVkaW8vbXBlZw", { filename: "song.mp3", filetype: "audio/mpeg" }],
    ["live", { live: "" }],
    ["live ,a YQ==", { live: "", a: "a" }],
    ["name R3LDvG4g4pmr", { name: "Grün ♫" }],
  ])("%j decodes", (text, expected) => {
    expect(metadata(text)).toEqual(expected);
  });

  test("may be missing", () => {
    expect(decodeMetadata(new Headers()).size).toBe(0);
  });

  test.each([
    [","],
    ["a YQ==,"],
    ["a YQ==,,b YQ=="],
    ["a YQ== b"],
    ["a  YQ=="],
    ["a YQ==,a Yg=="],
    ["a !!!"],
    ["a YQ==="],
    ["a Y"],
    ["a /w=="],
    ["a".repeat(9000)],
  ])("%j is refused", (text) => {
    expect(() => metadata(text)).toThrow(/Upload-Metadata/);
  });

  test("never repeats itself in a refusal", () => {
    expect(() => metadata("<script> %%")).toThrow(/^((?!script).)*$/);
  });

  test("decodes to what was encoded", () => {
    const key = fc.stringMatching(/^[!-+.-~-]{1,20}$/);
    const value = fc.string({ unit: "grapheme", maxLength: 30 });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([each]) => each }), (pairs) => {
        const values = new Map(pairs);
        const header = encodeMetadata(values);
        fc.pre(header.length <= 8192);
        expect(decodeMetadata(new Headers({ "upload-metadata": header }))).toEqual(values);
      }),
    );
  });
});

describe("Upload-Checksum", () => {
  test("names its algorithm and the digest", () => {
    const sha1 = Buffer.alloc(20, 7);
    const sha256 = Buffer.alloc(32, 9);
    expect(checksum(`sha1 ${sha1.toString("base64")}`)).toEqual({ algorithm: "sha1", digest: sha1 });
    expect(checksum(`sha256 ${sha256.toString("base64")}`)).toEqual({ algorithm: "sha256", digest: sha256 });
    expect(decodeChecksum(new Headers())).toBeUndefined();
  });

  test.each([
    "",
    "sha1",
    "sha1 ",
    "sha1 AAAA",
    "sha1 !!!",
    "crc32 AAAA",
    "SHA1 AAAA",
    `toString ${"A".repeat(27)}=`,
  ])("%j is refused", (text) => {
    expect(() => checksum(text)).toThrow(/Upload-Checksum/);
  });
});

describe("a number of bytes", () => {
  test("is a whole one", () => {
    expect(offset("0")).toBe(0);
    expect(offset("9007199254740991")).toBe(2 ** 53 - 1);
    expect(decodeBytes("Upload-Offset", new Headers())).toBeUndefined();
  });

  test.each(["", "-1", "+1", "1.0", "1e3", "0x10", "9007199254740992", "1, 1", "99999999999999999"])(
    "%j is refused",
    (text) => {
      expect(() => offset(text)).toThrow(/Upload-Offset: expected a whole number/);
    },
  );
});
