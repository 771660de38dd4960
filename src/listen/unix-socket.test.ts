import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { removeStaleSocket } from "./unix-socket.ts";

test("a socket without a server is removed; a socket in use, a file and nothing stay as they are", async () => {
  using folder = temporaryFolder();
  const [stale, used, file, none] = ["stale", "used", "file", "none"].map((name) => join(folder.path, name));
  const script = `Bun.serve({ unix: ${JSON.stringify(stale)}, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL")`;
  await Bun.spawn([process.execPath, "-e", script]).exited;
  writeFileSync(file!, "kept");
  const server = createServer().listen(used);
  await new Promise((resolve) => server.once("listening", resolve));
  expect([stale, used, file].map((path) => existsSync(path!))).toEqual([true, true, true]);
  for (const path of [stale, used, file, none]) await removeStaleSocket(path!);
  expect([stale, used, file].map((path) => existsSync(path!))).toEqual([false, true, true]);
  server.close();
});
