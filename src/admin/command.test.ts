import { describe, expect, test } from "bun:test";
import { ConfigError } from "../config/schema.ts";
import { type AdminCommand, isAdminCommand, readAdminCommand } from "./command.ts";

function read(args: string, environment: Record<string, string> = {}): AdminCommand | undefined {
  return readAdminCommand(args.split(" "), environment);
}

describe("the command line of the commands on the store", () => {
  test("is recognised by its first argument", () => {
    expect(["backup", "restore", "doctor"].map((name) => isAdminCommand([name]))).toEqual([true, true, true]);
    expect([[], ["--port", "0"], ["backups"], ["--json", "doctor"]].some(isAdminCommand)).toBe(false);
  });

  test("has the folders of the server: a flag before its variable before its default", () => {
    const environment = { WAVECACHE_CACHE_DIR: "/one", WAVECACHE_RECORDINGS_DIR: "/two" };
    expect(read("doctor --cache-dir /three", environment)).toEqual({
      name: "doctor",
      cacheDir: "/three",
      catalog: null,
      recordingsDir: "/two",
      json: false,
      deep: false,
      repair: false,
      rebuildCatalog: false,
      bundle: undefined,
    });
    expect(read("doctor")).toMatchObject({ cacheDir: "cache", recordingsDir: "data/received" });
  });

  test("has a bundle with the configuration, or with what is wrong with it", () => {
    const { bundle } = read("doctor --bundle b.tar.gz --cache-dir /three") as { bundle?: unknown };
    expect(bundle).toEqual({ path: "b.tar.gz", config: expect.stringContaining('cache-dir = "/three"') });
    const wrong = read("doctor --bundle b.tar.gz", { WAVECACHE_PORT: "abc" }) as { bundle?: unknown };
    expect(wrong.bundle).toEqual({ path: "b.tar.gz", config: expect.stringMatching(/^# .*PORT.*\n$/) });
    expect(() => read("doctor --bundle a --bundle b")).toThrow("--bundle needs a file, once");
  });

  test("has the options of each command", () => {
    expect(read("backup 007 --recordings --copy --deep --json")).toMatchObject({
      folder: "007",
      recordings: true,
      copy: true,
      deep: true,
      json: true,
    });
    expect(read("restore dir --force")).toMatchObject({ folder: "dir", force: true });
    expect(read("doctor --repair --rebuild-catalog")).toMatchObject({ repair: true, rebuildCatalog: true });
  });

  for (const wrong of [
    "backup",
    "restore",
    "backup a b",
    "doctor a",
    "doctor --force",
    "backup a --repair",
    "doctor --cache-dir",
    "doctor --what",
  ]) {
    test(`refuses "${wrong}"`, () => {
      expect(() => read(wrong)).toThrow(ConfigError);
    });
  }
});
