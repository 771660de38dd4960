import { expect, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../base/log/log.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { until } from "../../testing/harness/until.ts";
import type { Config } from "../schema.ts";
import { FileWatch } from "./file-watch.ts";
import { Reloader } from "./reloader.ts";

const log = openLog("test");

function open(folder: string, text: string) {
  const file = join(folder, "wavecache.toml");
  const write = (changed: string): void => writeFileSync(file, changed);
  write(text);
  const applied: Config[] = [];
  const reloader = new Reloader(new Map([["config", file]]), {}, log);
  reloader.follow({ apply: (next) => void applied.push(next) });
  return { file, write, applied, reloader };
}

test("a reload applies what is live, and names the rest until it is as before", async () => {
  using folder = temporaryFolder();
  const { write, applied, reloader } = open(folder.path, "[server]\nport = 1\n");
  write("[server]\nport = 2\nlog-level = 'debug'\n");
  const { changed, needRestart } = await reloader.reload("request");
  expect(changed).toEqual([{ name: "logLevel", key: "server.log-level", from: '"info"', to: '"debug"' }]);
  expect(needRestart).toEqual([{ name: "port", key: "server.port", from: "1", to: "2" }]);
  expect(applied).toMatchObject([{ port: 1, logLevel: { general: "debug" } }]);
  expect(reloader.config).toBe(applied[0]!);
  expect((await reloader.reload("request")).needRestart).toHaveLength(1);
  write("[server]\nport = 1\n");
  expect(await reloader.reload("signal")).toMatchObject({ changed: [{ to: '"info"' }], needRestart: [] });
});

test("a mistake, or a part that refuses, changes nothing anywhere", async () => {
  using folder = temporaryFolder();
  const { write, applied, reloader } = open(folder.path, "");
  write("[server]\nlog-level = 'loud'\n");
  const mistake = await reloader.reload("file").catch(String);
  expect(mistake).toContain("wavecache.toml:2: server.log-level");
  reloader.follow({
    check: () => {
      throw new Error("not with me");
    },
    apply: () => undefined,
  });
  write("[server]\nlog-level = 'debug'\n");
  expect(await reloader.reload("file").catch(String)).toContain("not with me");
  expect(applied).toEqual([]);
  expect(reloader.config.logLevel.general).toBe("info");
  expect(reloader.figures).toEqual({ succeeded: 0, failed: 2, hasFailedLast: true });
});

test("a flag keeps its value whatever the file says", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "wavecache.toml");
  writeFileSync(file, "");
  const flags = new Map([["config", file] as const, ["logLevel", "warning"] as const]);
  const reloader = new Reloader(flags, {}, log);
  writeFileSync(file, "[server]\nlog-level = 'debug'\n");
  expect((await reloader.reload("signal")).changed).toEqual([]);
  expect(reloader.config.logLevel.general).toBe("warning");
});

test("a secret that changes is named without its value", async () => {
  using folder = temporaryFolder();
  const { write, reloader } = open(folder.path, "[[events.hook]]\nurl = 'https://x.example/one'\n");
  write("[[events.hook]]\nurl = 'https://x.example/two'\n");
  const { changed } = await reloader.reload("signal");
  expect(changed.map(({ key }) => key)).toEqual(["events.hook"]);
  expect(JSON.stringify(changed)).not.toMatch(/one|two/);
});

test("the watch of a file notices a write, a replacement, and no event without a change", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "wavecache.toml");
  writeFileSync(file, "1");
  let changes = 0;
  const watch = await FileWatch.open(file, () => (changes += 1), log);
  writeFileSync(file, "2");
  await until("a write", 5000, () => changes === 1);
  const other = join(folder.path, "other");
  let isSettled = false;
  const otherWatch = await FileWatch.open(other, () => (isSettled = true), log);
  writeFileSync(other, "x");
  await until("an event of another file", 5000, () => isSettled);
  otherWatch.close();
  expect(changes).toBe(1);
  writeFileSync(join(folder.path, "new"), "3");
  renameSync(join(folder.path, "new"), file);
  await until("a replacement", 5000, () => changes === 2);
  watch.close();
  expect(changes).toBe(2);
});
