/** Keeps the unit of systemd in step with the program, and hardened. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultDrainSeconds, settleGraceMs } from "../base/limits/connections.ts";
import { readConfig } from "../config/config.ts";

const path = join(import.meta.dir, "../../deploy/wavecache.service");
const unit = readFileSync(path, "utf8");
const valuesOf = (key: string) =>
  Array.from(unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm")), ([, value]) => value!);

describe("the unit of systemd", () => {
  test.skipIf(Bun.which("systemd-analyze") === null)("is rated 2.5 or better by systemd", () => {
    // The threshold is ten times the rating.
    const command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", path];
    const { exitCode, stdout } = Bun.spawnSync(command);
    expect(stdout.toString()).toContain("Overall exposure level");
    expect(exitCode).toBe(0);
  });

  test("keeps all folders of the server in its state directory", () => {
    const variables = valuesOf("Environment").map((each) => each.split("=") as [string, string]);
    const environment = Object.fromEntries(variables.filter(([name]) => name.startsWith("WAVECACHE_")));
    const { cacheDir, recordingsDir, libraryDir } = readConfig([], environment)!;
    const [state] = valuesOf("StateDirectory");
    for (const folder of [cacheDir, recordingsDir, libraryDir])
      expect(folder).toStartWith(`/var/lib/${state}/`);
  });

  test("waits longer for the end than the server takes for it", () => {
    const [seconds] = valuesOf("TimeoutStopSec");
    expect(Number(seconds) * 1000).toBeGreaterThan(defaultDrainSeconds * 1000 + settleGraceMs);
  });
});
