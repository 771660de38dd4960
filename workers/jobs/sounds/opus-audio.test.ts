import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { OggOpusParser } from "../../../src/codec/ogg/ogg-opus.ts";
import { opusSampleRate } from "../../../src/codec/opus.ts";
import { editOggPages, oggFile, oggPages, opusHead, opusTags } from "../../../src/testing/fixtures/ogg.ts";
import { id3Tag } from "../../../src/testing/fixtures/riff.ts";
import { correlation, heard } from "../../../src/testing/fixtures/sound.ts";
import {
  caseFile,
  expectPlays,
  joined,
  musicAt48k,
  packetsOfBytes,
} from "../../../src/testing/harness/played-sound.ts";
import { testLimitMs } from "../../../src/testing/harness/until.ts";

setDefaultTimeout(testLimitMs);

const stereo = caseFile("opus-fam1-st.opus");
const mono = caseFile("opus-fam1-mo.opus");
const lossy = { minCorrelation: 0.9 };

/** The case file with a plain head, and with its granules shifted. */
function opusFile(shift: bigint, head: (head: Uint8Array) => Uint8Array = plainHead, from = stereo) {
  return editOggPages(from, (page, at) =>
    at === 0
      ? withBody(head(page.body.slice()))
      : { granule: page.granule > 0n ? page.granule + shift : page.granule },
  );
}

function plainHead(head: Uint8Array): Uint8Array {
  head[18] = 0;
  return head.subarray(0, 19);
}

function longSkipHead(head: Uint8Array): Uint8Array {
  const out = plainHead(head);
  new DataView(out.buffer, out.byteOffset).setUint16(10, 24_000, true);
  return out;
}

function withBody(body: Uint8Array) {
  return { body, lengths: Uint8Array.of(body.length) };
}

function preSkipOf(head: Uint8Array): number {
  return head[10]! | (head[11]! << 8);
}

describe("an Ogg/Opus file plays", () => {
  test("with channel mapping family 1, in mono, stereo and 5.1", async () => {
    await expectPlays(stereo, lossy);
    await expectPlays(mono, { ...lossy, maxDelay: 312 });
    await expectPlays(caseFile("opus-51.opus"), lossy);
  });

  test("without its pre-skip, however long", async () => {
    for (const from of [stereo, mono]) {
      const source = musicAt48k.subarray(24_000 - preSkipOf(opusHeadOf(from)));
      const file = opusFile(0n, longSkipHead, from);
      await expectPlays(file, { ...lossy, source: source.subarray(0, 62_400 - 24_000) });
    }
  });

  test("without the end that its last granule trims", async () => {
    for (const [from, samples] of [
      [stereo, 62_400],
      [mono, 63_048],
    ] as const) {
      const pages = editOggPages(from, (page) => (page.isLast ? { granule: page.granule - 4_000n } : page));
      const source = musicAt48k.subarray(0, 58_400);
      const seconds = (samples - 4_000) / opusSampleRate;
      await expectPlays(pages, { ...lossy, source, seconds, maxDelay: 312 });
    }
  });

  test("with granules that begin at one hour", async () => {
    await expectPlays(opusFile(3_600n * 48_000n), lossy);
  });

  test("without a page whose checksum is wrong", async () => {
    const coded = new OggOpusParser().push(stereo).flatMap((run) => run.packets);
    const head = opusHead({ channels: 2, preSkip: 312 });
    const pages = oggPages(oggFile([head, opusTags(), ...coded], { segmentsPerPage: 8 }));
    pages[5]![22] = pages[5]![22]! ^ 1;
    const packets = await packetsOfBytes(joined(...pages));
    expect(packets.length).toBeWithin(52, 64);
    expect(correlation(musicAt48k.subarray(0, 7_000), await heard(packets), 1)).toBeGreaterThan(0.9);
  });

  test("with another stream after it", async () => {
    const sound = await expectPlays(joined(opusFile(0n), opusFile(0n), mono), {
      ...lossy,
      seconds: 2 * 1.3 + 1.3135,
    });
    for (const at of [1.3, 2.6]) {
      const second = sound.subarray(Math.round(at * opusSampleRate));
      expect(correlation(musicAt48k, second, 1)).toBeGreaterThan(0.9);
    }
  });

  test.each([
    ["zeros", new Uint8Array(512)],
    ["an ID3v1 tag", new TextEncoder().encode("TAG".padEnd(128))],
    ["half a page", stereo.subarray(47, 200)],
  ])("with %s behind it", async (_, bytes) => {
    await expectPlays(joined(opusFile(0n), bytes), lossy);
  });

  test.each([0, 70, 200_000])("behind an ID3 tag of %d bytes", async (bytes) => {
    await expectPlays(joined(id3Tag(bytes), opusFile(0n)), lossy);
  });

  test("with an empty last page, as VLC writes it", async () => {
    const pages = editOggPages(opusFile(0n), (page) => (page.isLast ? { isLast: false } : page));
    const last = editOggPages(opusFile(0n), (page) =>
      page.isLast
        ? { number: page.number + 1, body: new Uint8Array(0), lengths: Uint8Array.of(0) }
        : undefined,
    );
    await expectPlays(joined(pages, last), lossy);
  });
});

function opusHeadOf(file: Uint8Array): Uint8Array {
  return file.subarray(28, 28 + 19);
}
