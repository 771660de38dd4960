/** The client library as an installed package under Node: built, resolved by its exports, and used over `ws`. */
import { beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Random, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { within } from "../harness/until.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();
const root = resolve(import.meta.dir, "../../..");
const node = Bun.which("node");
const oldest = 20;
const limitMs = 30_000;

beforeAll(async () => {
  if (node === null) throw new Error(`node is not on the PATH: these tests need Node ${oldest} or later`);
  const { out } = await run([node, "--version"]);
  const major = Number(/^v(\d+)/.exec(out)?.[1]);
  if (!(major >= oldest)) throw new Error(`Node ${oldest} or later is needed, this is ${out}`);
});

async function run(command: string[], cwd = root): Promise<{ out: string; err: string; code: number }> {
  const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  try {
    const all = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    const [out, err, code] = await within(command.join(" "), limitMs, all);
    return { out, err, code };
  } finally {
    child.kill("SIGKILL");
  }
}

/** A program's folder with the package, built for a platform, in its node_modules. */
async function install(folder: string, platform: "node" | "browser"): Promise<string> {
  const installed = join(folder, "node_modules", "wavecache");
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(root, "package.json"), join(installed, "package.json"));
  // Node resolves dist/client/node.js; a browser build must run there too, without SHA-256.
  const entry = join(root, `src/client/v1/${platform}.ts`);
  const outfile = join(installed, "dist/client/node.js");
  const build = [process.execPath, "build", entry, `--target=${platform}`, `--outfile=${outfile}`];
  expect(await run(build)).toMatchObject({ code: 0, err: "" });
  const program = join(folder, "program.mjs");
  copyFileSync(join(root, "src/testing/fixtures/node-client.mjs"), program);
  return program;
}

for (const platform of ["node", "browser"] as const) {
  test(`the build for ${platform} writes, reads, lists and removes under Node`, async () => {
    await using server = await TestServer.start();
    using folder = temporaryFolder();
    const bytes = new Random(1).bytes(3_000_000);
    const file = join(folder.path, "audio");
    writeFileSync(file, bytes);
    const program = await install(folder.path, platform);
    const ws = join(root, "node_modules/ws");
    const { out, err, code } = await run([node ?? "", program, server.url, ws, file], folder.path);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const hashes = platform === "node";
    expect(JSON.parse(out)).toMatchObject({
      receipt: { size: bytes.length, sha256: sha256(bytes), verified: hashes },
      copies: Array.from({ length: 8 }, () => hashes),
      sha256: sha256(bytes),
      verified: hashes,
      streams: 9,
      removed: true,
      refusal: "STREAM_UNKNOWN",
      events: ["connecting", "connected"],
    });
  });
}

test("the example of docs/client.md works", async () => {
  await using server = await TestServer.start();
  using folder = temporaryFolder();
  const page = readFileSync(join(root, "docs/client.md"), "utf8");
  const example = /```ts runnable\n(import \{ connect \}.*?)```/s.exec(page)?.[1] ?? "";
  const modules = join(folder.path, "node_modules");
  mkdirSync(modules);
  symlinkSync(root, join(modules, "wavecache"), "junction");
  const program = join(folder.path, "example.ts");
  writeFileSync(program, example.replace("ws://localhost:8080/audio", server.url));
  const { out, err, code } = await run([process.execPath, "run", program], folder.path);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out).toMatch(
    /^stream-\S+: 100000 bytes, [0-9a-f]{64}, verified: true\n99000 bytes came back\n1 streams/,
  );
});

test("a cut connection is reopened under Node", async () => {
  await using server = await TestServer.start();
  using proxy = await TcpProxy.open(Number(new URL(server.url).port));
  using folder = temporaryFolder();
  const bytes = new Random(2).bytes(20_000_000);
  const file = join(folder.path, "audio");
  writeFileSync(file, bytes);
  const program = await install(folder.path, "node");
  const url = `ws://127.0.0.1:${proxy.port}/audio`;
  const cutting = setInterval(() => proxy.cut(), 150);
  const stop = setTimeout(() => clearInterval(cutting), 3_000);
  try {
    const ws = join(root, "node_modules/ws");
    const { out, err, code } = await run([node ?? "", program, url, ws, file], folder.path);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const seen = JSON.parse(out) as { events: string[] };
    expect(seen).toMatchObject({ sha256: sha256(bytes), verified: true, refusal: "STREAM_UNKNOWN" });
    expect(seen.events.filter((type) => type === "connected").length).toBeGreaterThan(1);
  } finally {
    clearInterval(cutting);
    clearTimeout(stop);
  }
});
