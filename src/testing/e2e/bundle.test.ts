/** `doctor --bundle`: what a diagnosis needs of a server in one file, and none of its secrets. */
import { expect, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { createToken } from "../harness/access.ts";
import { failedAdmin, runAdmin } from "../harness/admin.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

/** The texts of a bundle by their names in it. */
async function filesIn(path: string): Promise<Map<string, string>> {
  const files = await new Bun.Archive(await Bun.file(path).bytes()).files();
  const texts = Array.from(files, async ([name, file]): Promise<[string, string]> => [
    name,
    await file.text(),
  ]);
  return new Map(await Promise.all(texts));
}

const audioMarker = "not for a bundle: what people say";

test("the bundle of a running server describes it, and has no secret that was planted", async () => {
  using folder = temporaryFolder();
  const hookSecret = `whsec_${"c2VjcmV0".repeat(5)}`;
  const secretFile = join(folder.path, "hook-secret");
  writeFileSync(secretFile, `${hookSecret}\n`, { mode: 0o600 });
  await using server = await TestServer.start({
    flags: {
      "log-level": "debug",
      hook: "http://planted-user:planted-password@127.0.0.1:9/planted-path?key=planted-key",
      "hook-secret-file": secretFile,
    },
    env: { WAVECACHE_TLS: "true" },
  });
  const token = (await createToken(server, ["*"])).text;
  const tls = { rejectUnauthorized: false };
  const asked = (path: string, init: RequestInit = {}) =>
    fetch(`${server.httpBase}${path}`, { ...init, tls } as RequestInit);
  const authorized = { authorization: `Bearer ${token}` };
  await asked("/api/streams/said/audio", { method: "PUT", body: audioMarker, headers: authorized });
  const shared = await asked("/api/streams/said/links", { method: "POST", headers: authorized });
  const link = new URL(((await shared.json()) as { url: string }).url, server.httpBase).search;
  await asked(`/api/streams/${encodeURIComponent(`x?token=${token}`)}${link}`);
  await asked(`/api/streams?token=${token}`);
  const path = join(folder.path, "bundle.tar.gz");
  const outcome = await runAdmin(server, "doctor", "--bundle", path);
  expect(outcome).toMatchObject({ code: 0, bundle: path, isServerRunning: true });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const files = await filesIn(path);
  expect([...files.keys()].sort()).toEqual(
    ["catalog.json", "config.toml", "doctor.json", "folders.json", "log.txt", "metrics.txt"]
      .concat(["readiness.json", "versions.json"])
      .map((name) => `wavecache/${name}`),
  );
  const fileOf = (name: string) => files.get(`wavecache/${name}`)!;
  expect(fileOf("config.toml")).toMatch(/^log-level = "debug" +# --log-level$/m);
  expect(fileOf("log.txt")).toContain("an upload is stored");
  expect(fileOf("metrics.txt")).toContain('wavecache_streams{state="finished"} 1');
  expect(JSON.parse(fileOf("catalog.json"))).toMatchObject({ totals: { finished: 1 }, tokens: 1 });
  expect(JSON.parse(fileOf("folders.json"))["objects-v1"]).toMatchObject({
    files: 1,
    bytes: audioMarker.length,
  });
  expect(JSON.parse(fileOf("versions.json")).program).toContain("wavecache 0.");
  const all = [...files.values()].join("\n");
  const key = await Bun.file(join(server.cacheDir, "tls/key.pem")).text();
  const planted = [token, link.split("=")[1]!, hookSecret, audioMarker, key.split("\n")[1]!, "planted-"];
  for (const secret of planted) {
    expect(secret.length).toBeGreaterThan(5);
    expect(all).not.toContain(secret);
  }
});

test("a stopped server has a bundle without its log, also if its catalog is damaged", async () => {
  using folder = temporaryFolder();
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", Buffer.from(audioMarker));
  await server.stop();
  writeFileSync(join(server.cacheDir, "catalog.db"), "damaged".repeat(1000));
  const path = join(folder.path, "bundle.tar.gz");
  const outcome = await runAdmin(server, "doctor", "--bundle", path);
  expect(outcome).toMatchObject({ code: 1, problems: [{ code: "catalog-lost" }] });
  const files = await filesIn(path);
  expect([...files.keys()]).not.toContain("wavecache/log.txt");
  expect(files.get("wavecache/config.toml")).toContain("cache-dir");
  expect(files.get("wavecache/doctor.json")).toContain("catalog-lost");
  expect(JSON.parse(files.get("wavecache/catalog.json")!)).toHaveProperty("error.code");
  expect([...files.values()].join("\n")).not.toContain(audioMarker);
});

test("a bundle that cannot be written fails the command with one line", async () => {
  await using server = await TestServer.start();
  const { code, stderr } = await failedAdmin(server, "doctor", "--bundle", "/nowhere/bundle.tar.gz");
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});
