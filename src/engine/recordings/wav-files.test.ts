import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { toWavecacheError } from "../../base/errors.ts";
import { openLog } from "../../base/log/log.ts";
import type { RecordedWav } from "../../base/recording-entry.ts";
import { WavDigest } from "../../store/recordings/wav-digest.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { WavFiles } from "./wav-files.ts";

const audio = new Random(1).bytes(600_000);
let folder: ReturnType<typeof temporaryFolder>;
let files: WavFiles;

beforeEach(() => {
  folder = temporaryFolder();
  fs.writeFileSync(join(folder.path, "x.wav"), audio);
  files = new WavFiles(folder.path, openLog("test"));
});
afterEach(() => {
  files.close();
  folder[Symbol.dispose]();
});

function recorded(): RecordedWav & { checksum: string } {
  const digest = new WavDigest();
  digest.add(audio);
  return digest.finish();
}

/** Undefined if the file is opened, else the code of the error. */
async function refusalOf(expected: RecordedWav | undefined, name = "x"): Promise<string | undefined> {
  try {
    const file = await files.open(name, expected);
    await file.close();
    return undefined;
  } catch (error) {
    return toWavecacheError(error).code;
  }
}

test("a recording with a checksum is compared with that alone", async () => {
  const { bytes, checksum } = recorded();
  expect(await refusalOf({ bytes, checksum, sha256: "not looked at" })).toBeUndefined();
  expect(await refusalOf({ bytes, checksum: "0".repeat(16), sha256: sha256(audio) })).toBe("OBJECT_DAMAGED");
});

test("a recording of an older version is compared with its SHA-256", async () => {
  const { bytes } = recorded();
  expect(await refusalOf({ bytes, sha256: sha256(audio) })).toBeUndefined();
  expect(await refusalOf({ bytes, sha256: "0".repeat(64) })).toBe("OBJECT_DAMAGED");
});

test("a file that has changed since it was verified is compared again", async () => {
  expect(await refusalOf(recorded())).toBeUndefined();
  for (const at of [0, 300_000, audio.length - 1]) {
    const damaged = Uint8Array.from(audio);
    damaged[at]! ^= 1;
    fs.writeFileSync(join(folder.path, "x.wav"), damaged);
    expect(await refusalOf(recorded())).toBe("OBJECT_DAMAGED");
  }
  fs.writeFileSync(join(folder.path, "x.wav"), audio);
  expect(await refusalOf(recorded())).toBeUndefined();
  fs.truncateSync(join(folder.path, "x.wav"), 1_000);
  expect(await refusalOf(recorded())).toBe("OBJECT_DAMAGED");
});

test("requests at once for one file all get the answer", async () => {
  const right = await Promise.all([1, 2, 3].map(() => refusalOf(recorded())));
  const wrong = { ...recorded(), checksum: "0".repeat(16) };
  expect(right).toEqual([undefined, undefined, undefined]);
  expect(await Promise.all([1, 2].map(() => refusalOf(wrong)))).toEqual(["OBJECT_DAMAGED", "OBJECT_DAMAGED"]);
});

test("a file without a digest is opened as it is, and one that does not exist is unknown", async () => {
  expect(await refusalOf(undefined)).toBeUndefined();
  expect(await refusalOf(recorded(), "y")).toBe("RECORDING_UNKNOWN");
});
