import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { existsSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { readStoredSound, SoundWriter, trimStoredSounds } from "./stored-sound.ts";

async function read(path: string): Promise<{ result: string; packets: Uint8Array[] }> {
  const packets: Uint8Array[] = [];
  const result = await readStoredSound(path, (more) => packets.push(...more));
  return { result, packets };
}

function write(path: string, packets: Uint8Array[], tag = 1): void {
  const writer = new SoundWriter(path, tag);
  for (const packet of packets) writer.append([packet]);
  writer.finish();
  writer.discard();
}

describe("a stored sound", () => {
  test("is read as it was written, whatever its packets, and leaves no other file", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "sounds", "a");
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), async (packets) => {
        write(path, packets);
        expect(await read(path)).toEqual({ result: "read", packets });
      }),
      { numRuns: 30 },
    );
    expect(readdirSync(join(folder.path, "sounds"))).toEqual(["a"]);
  });

  test("with thousands of packets is read in batches", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "a");
    const writer = new SoundWriter(path, 1);
    writer.append(Array.from({ length: 5_000 }, (_, at) => Uint8Array.of(at, at >> 8)));
    writer.finish();
    const pieces: number[] = [];
    expect(await readStoredSound(path, (packets) => pieces.push(packets.length))).toBe("read");
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.reduce((sum, count) => sum + count, 0)).toBe(5_000);
  });

  test("with any byte changed counts as damaged, and returns no packets", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "a");
    write(path, [new Uint8Array(50).fill(3), new Uint8Array(20).fill(4)]);
    const good = await Bun.file(path).bytes();
    for (let at = 0; at < good.length; at++) {
      writeFileSync(path, good.with(at, good[at]! ^ 0x10));
      expect(await read(path)).toEqual({ result: "damaged", packets: [] });
    }
    expect((await read(join(folder.path, "b"))).result).toBe("missing");
  });

  test("of an earlier version counts as missing, because its packets may be wrong", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "a");
    write(path, [new Uint8Array(50)]);
    writeFileSync(path, (await Bun.file(path).bytes()).with(8, 1));
    expect(await read(path)).toEqual({ result: "missing", packets: [] });
  });

  test("leaves no file if it is discarded, and does not touch an existing one", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "a");
    write(path, [Uint8Array.of(1)]);
    const writer = new SoundWriter(path, 2);
    writer.append([Uint8Array.of(9)]);
    writer.discard();
    expect(readdirSync(folder.path)).toEqual(["a"]);
    expect((await read(path)).packets).toEqual([Uint8Array.of(1)]);
  });

  test("is trimmed, least recently used first; reading counts as use", async () => {
    using folder = temporaryFolder();
    const path = (name: string) => join(folder.path, name);
    for (const [name, age] of [
      ["a", 30],
      ["b", 20],
      ["c", 10],
    ] as const) {
      write(path(name), [new Uint8Array(974)]);
      utimesSync(path(name), 1_000_000 - age, 1_000_000 - age);
    }
    writeFileSync(path("d.7.tmp"), "left by a crash");
    await read(path("a"));
    trimStoredSounds(folder.path, 2_000, false);
    expect(readdirSync(folder.path).sort()).toEqual(["a", "c", "d.7.tmp"]);
    trimStoredSounds(folder.path, 2_000, true);
    expect(existsSync(path("d.7.tmp"))).toBe(false);
    trimStoredSounds(path("none"), 2_000, true);
  });
});
