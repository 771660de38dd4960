/** `top`: a live view of a server in a terminal, and one plain look in a pipe. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { createToken } from "../harness/access.ts";
import { ClientTerminal } from "../harness/client-terminal.ts";
import { projectFolder } from "../harness/documents.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

async function run(script: string, ...args: string[]) {
  const command = [process.execPath, "run", join(projectFolder, script), ...args];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

test("a pipe gets one plain look, by either name, and JSON if that is asked for", async () => {
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  await peer.start("open");
  await peer.sendAudio(new Uint8Array(5000));
  const looks = ["src/program/server.ts", "src/cli/main.ts"].map((script) =>
    run(script, "top", "-s", server.url),
  );
  for (const { out, err, code } of await Promise.all(looks)) {
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toContain("\nready\n");
    expect(out).toMatch(/^audio-cache +1 /m);
    expect(out).toMatch(/^open +4.88 KiB +0 B$/m);
    expect(out).not.toContain("\u001b");
  }
  const json = JSON.parse((await run("src/cli/main.ts", "top", "--json", "-s", server.url)).out);
  expect(json).toMatchObject({ streams: { uploading: 1 }, uploads: [{ streamId: "open", size: 5000 }] });
});

test("a token for metrics alone sees them without the lists, and one without them is refused", async () => {
  await using server = await TestServer.start();
  const [watcher, reader] = [
    await createToken(server, ["metrics"]),
    await createToken(server, ["read:streams/*"]),
  ];
  const seen = await run("src/cli/main.ts", "top", "-s", server.url, "--token", watcher.text);
  expect(seen.out).toContain("Devices: this token may not list devices");
  const refused = await run("src/cli/main.ts", "top", "-s", server.url, "--token", reader.text);
  expect(refused).toMatchObject({ out: "", code: 1 });
  expect(refused.err.trim().split("\n")).toHaveLength(1);
});

test("a terminal shows a live screen, sorts by s, survives a restart of the server, and ends by q", async () => {
  await using server = await TestServer.start();
  using folder = temporaryFolder();
  const port = Number(new URL(server.url).port);
  using terminal = new ClientTerminal(["top", "-s", server.url], folder.path, { NO_COLOR: "1" });
  await terminal.shows(/^ready/);
  await terminal.shows("s sort (rate)");
  expect(terminal.isRaw).toBe(true);
  terminal.type("s");
  await terminal.shows("s sort (size)");
  using peer = await AudioCachePeer.open(server.url);
  await peer.start("comes");
  await terminal.shows(/^comes/);
  await server.stop();
  await terminal.shows("cannot reach the server");
  await server.restart({ flags: { port } });
  await terminal.shows(/^ready/);
  terminal.type("q");
  expect(await terminal.exit()).toBe(0);
  expect(terminal.isRaw).toBe(false);
});
