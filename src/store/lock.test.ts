import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { acquireLock, lockFolders } from "./lock.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

/** A process that takes the lock, says so, and then sleeps. */
async function holder(path: string, kind: "system" | "none") {
  const script = `
    const { acquireLock } = await import(${JSON.stringify(join(import.meta.dir, "lock.ts"))});
    acquireLock(${JSON.stringify(path)}${kind === "none" ? ', "none"' : ""});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const subprocess = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  const { value } = await subprocess.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toContain("held");
  return subprocess;
}

const takers = {
  system: (path: string) => acquireLock(path),
  none: (path: string) => acquireLock(path, "none"),
};

for (const kind of ["system", "none"] as const) {
  const acquire = takers[kind];
  describe(kind === "system" ? "a lock of the system" : "a lock of a system without flock", () => {
    test("keeps every other taker out until it is released", () => {
      const path = join(folder.path, "lock");
      const lock = acquire(path);
      expect(() => acquire(path)).toThrow(expect.objectContaining({ code: "STORE_IN_USE" }));
      lock.release();
      lock.release();
      acquire(path).release();
    });

    test("names the process that holds it, and is free once that process is killed", async () => {
      const path = join(folder.path, "lock");
      const other = await holder(path, kind);
      expect(() => acquire(path)).toThrow(`${path} (process ${other.pid})`);
      other.kill("SIGKILL");
      await other.exited;
      const lock = acquire(path);
      expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
      lock.release();
    });

    test("fails with the system's error if its folder is missing", () => {
      expect(() => acquire(join(folder.path, "missing", "lock"))).toThrow("ENOENT");
    });
  });
}

test("a released lock leaves its file, which another process may have opened already", () => {
  const path = join(folder.path, "lock");
  writeFileSync(path, "what an earlier version wrote, which is longer");
  acquireLock(path).release();
  expect(existsSync(path)).toBe(process.platform !== "win32");
});

test("folders that cannot both be locked are left without a lock", () => {
  const [first, second, recordings] = ["a", "b", "received"].map((name) => join(folder.path, name));
  const held = lockFolders(first!, recordings!);
  expect(() => lockFolders(second!, recordings!)).toThrow(recordings!);
  acquireLock(join(second!, "lock")).release();
  held.release();
  lockFolders(second!, recordings!).release();
});
