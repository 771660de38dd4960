import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { sniffAudioFormat, sniffBytes } from "./sniff.ts";

const samples = new URL("../../data/samples/", import.meta.url).pathname;

/** Bytes of a text, where every character is one byte. */
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function oggPage(packet: string): Uint8Array {
  return latin1(`OggS\0\x02${"\0".repeat(20)}\x01${String.fromCharCode(packet.length)}${packet}`);
}

describe("the type of a sample file is detected from its first bytes:", () => {
  const files = {
    "speech-16k-mono.wav": "audio/wav",
    "speech-16k-mono.opus": "audio/ogg; codecs=opus",
    "music-44k-stereo.wav": "audio/wav",
    "music-44k-stereo.mp3": "audio/mpeg",
  };
  for (const [name, type] of Object.entries(files)) {
    test(`${name} is ${type}`, async () => {
      const head = await Bun.file(samples + name)
        .slice(0, sniffBytes)
        .bytes();
      expect(sniffAudioFormat(head)).toBe(type);
    });
  }
});

describe("the type of audio is detected from", () => {
  const heads: [string, Uint8Array, string | undefined][] = [
    ["RIFF of waves", latin1("RIFF\xff\xff\xff\xffWAVEfmt "), "audio/wav"],
    ["RF64 of waves", latin1("RF64\xff\xff\xff\xffWAVEds64"), "audio/wav"],
    ["RIFX of waves", latin1("RIFX\0\0\0\x24WAVEfmt "), "audio/wav"],
    ["AIFF", latin1("FORM\0\0\0\x24AIFFCOMM"), "audio/aiff"],
    ["AIFF-C", latin1("FORM\0\0\0\x24AIFCFVER"), "audio/aiff"],
    ["FORM of anything else", latin1("FORM\0\0\0\x24ILBMBMHD"), undefined],
    ["AU", latin1(".snd\0\0\0\x18"), "audio/basic"],
    ["CAF", latin1("caff\0\x01\0\0desc"), "audio/x-caf"],
    ["Wave64", latin1("riff\x2e\x91\xcf\x11\xa5\xd6"), "audio/x-w64"],
    ["RIFF of anything else", latin1("RIFF\0\0\0\0AVI LIST"), undefined],
    ["Ogg with Opus", oggPage("OpusHead\x01\x01"), "audio/ogg; codecs=opus"],
    ["Ogg with Vorbis", oggPage("\x01vorbis\0\0"), "audio/ogg; codecs=vorbis"],
    ["Ogg with something else", oggPage("Speex   "), "audio/ogg"],
    ["Ogg cut off", latin1("OggS\0\x02"), "audio/ogg"],
    ["FLAC", latin1("fLaC\0\0\0\x22"), "audio/flac"],
    ["MP4 of audio", latin1("\0\0\0\x20ftypM4A \0\0\0\0"), "audio/mp4"],
    ["MP4 of anything", latin1("\0\0\0\x20ftypisom\0\0\x02\0"), "audio/mp4"],
    ["an image in the same boxes", latin1("\0\0\0\x20ftypheic\0\0\0\0"), undefined],
    ["a long ID3 tag", latin1("ID3\x04\0\0\0\0\x7f\x7fTSSE"), "audio/mpeg"],
    [
      "a short ID3 tag before ADTS",
      latin1("ID3\x04\0\0\0\0\0\x02ab\xff\xf1\x50\x80\x2e\xbf\xfc\0"),
      "audio/aac",
    ],
    ["a short ID3 tag before FLAC", latin1("ID3\x04\0\0\0\0\0\x02abfLaC\0\0\0\x22"), "audio/flac"],
    ["an ID3 tag with an impossible size", latin1("ID3\x04\0\0\0\0\0\x80ab"), undefined],
    ["MPEG-1 layer III", latin1("\xff\xfb\x90\x64\0\0\0\0"), "audio/mpeg"],
    ["MPEG-2 layer III", latin1("\xff\xf3\x40\xc4\0\0\0\0"), "audio/mpeg"],
    ["MPEG-1 layer II", latin1("\xff\xfd\xa4\0\0\0\0\0"), "audio/mpeg"],
    ["MPEG of a reserved version", latin1("\xff\xeb\x90\x64\0\0\0\0"), undefined],
    ["MPEG of a reserved layer", latin1("\xff\xf9\xfc\x64\0\0\0\0"), undefined],
    ["MPEG with bit rate 1111", latin1("\xff\xfb\xf0\x64\0\0\0\0"), undefined],
    ["MPEG with bit rate 0000", latin1("\xff\xfb\0\0\0\0\0\0"), undefined],
    ["MPEG with a reserved rate", latin1("\xff\xfb\x9c\x64\0\0\0\0"), undefined],
    ["MPEG with a reserved emphasis", latin1("\xff\xfb\x90\x66\0\0\0\0"), undefined],
    ["ADTS of MPEG-4", latin1("\xff\xf1\x50\x80\x2e\xbf\xfc\0"), "audio/aac"],
    ["ADTS of MPEG-2 with a checksum", latin1("\xff\xf8\x50\x80\x2e\xbf\xfc\0"), "audio/aac"],
    ["ADTS of a reserved rate", latin1("\xff\xf1\x7c\x80\x2e\xbf\xfc\0"), undefined],
    ["ADTS with a frame too short", latin1("\xff\xf1\x50\x80\0\xbf\xfc\0"), undefined],
    ["UTF-16 text", latin1("\xff\xfeA\0u\0d\0"), undefined],
    ["ones", new Uint8Array(sniffBytes).fill(0xff), undefined],
    ["zeros", new Uint8Array(sniffBytes), undefined],
    ["nothing", new Uint8Array(0), undefined],
  ];
  for (const [name, head, type] of heads) {
    test(`${name}: ${type}`, () => expect(sniffAudioFormat(head)).toBe(type));
  }
});

test("any bytes give a type or undefined, and never throw", () => {
  const bytes = fc.uint8Array({ maxLength: 80 });
  const start = fc.constantFrom(
    "",
    "RIFF",
    "OggS",
    "ID3",
    "ID3\x04\0\0\0\0\0",
    "\xff",
    "\xff\xf1",
    "\0\0\0\x20ftyp",
  );
  fc.assert(
    fc.property(start, bytes, (text, rest) => {
      const type = sniffAudioFormat(Uint8Array.from([...latin1(text), ...rest]));
      expect(type === undefined || type.startsWith("audio/")).toBe(true);
    }),
  );
});
