/** The npm package: packed, installed into an empty folder and used from there. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../../package.json";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { projectFolder } from "../../testing/harness/documents.ts";
import { runIn, verifyPage, verifyRoundTrip } from "../../testing/harness/installation.ts";
import { TestServer, useServers } from "../../testing/harness/server.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";

useServers();
const folder = temporaryFolder();
const installed = join(folder.path, "node_modules/wavecache");
const program = join(folder.path, "node_modules/.bin/wavecache");
const tarball = join(folder.path, `wavecache-${packageJson.version}.tgz`);
const fixture = (name: string) => join(projectFolder, "src/testing/fixtures", name);

const hasNode = Bun.which("npm") !== null && Bun.which("node") !== null;

describe.skipIf(!hasNode)("the npm package", () => {
  beforeAll(async () => {
    const pack = ["npm", "pack", "--silent", "--pack-destination", folder.path];
    expect(await runIn(projectFolder, pack)).toMatchObject({ code: 0 });
    writeFileSync(join(folder.path, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const install = [process.execPath, "add", "--prefer-offline", tarball];
    expect(await runIn(folder.path, install)).toMatchObject({ code: 0 });
  });
  afterAll(() => folder[Symbol.dispose]());

  test("has what the program needs, and nothing else", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(files).toContain("dist/page/index.html");
    expect(files).toContain("dist/client/types/client/v1/node.d.ts");
    expect(files).toContain("deploy/wavecache.service");
    for (const name of ["wavecache.bash", "_wavecache", "wavecache.fish"])
      expect(readFileSync(join(installed, "dist/completions", name), "utf8")).toContain(
        "wavecache complete -- ",
      );
    expect(readFileSync(join(installed, "dist/wavecache.1"), "utf8")).toStartWith(".TH WAVECACHE 1 ");
    expect(files.filter((path) => /\.test\.|^(src\/(testing|ui)|bench|data|cache)\b/.test(path))).toEqual([]);
    expect(statSync(tarball).size).toBeLessThan(2_000_000);
  });

  test("knows its version and its commit", async () => {
    const { out } = await runIn(folder.path, [program, "--version"]);
    const { out: here } = await runIn(projectFolder, [fixture("../../program/wavecache.ts"), "--version"]);
    expect(out).toBe(here);
  });

  test("serves the page, and audio that its client uploads and its library reads under Node", async () => {
    await using server = await TestServer.start({ program: [program, "server"], flags: { "grpc-port": 0 } });
    await verifyPage(server);
    const page = await (await fetch(`${server.httpBase}/`)).text();
    expect(page).toContain('<meta name="wavecache-command" content="wavecache" />');
    await verifyRoundTrip(server, [program, "client"]);
    const bytes = new Random(2).bytes(1_000_000);
    writeFileSync(join(server.folder, "song"), bytes);
    const upload = ["client", "upload", "song", "--id", "song", "--server", server.url];
    expect(await runIn(server.folder, [program, ...upload])).toMatchObject({ err: "", code: 0 });
    copyFileSync(fixture("package-client.mjs"), join(folder.path, "program.mjs"));
    const ws = join(projectFolder, "node_modules/ws");
    const { out, err } = await runIn(folder.path, ["node", "program.mjs", server.url, ws, "song"]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toEqual({ sha256: sha256(bytes), verified: true });
    expect(await server.stop()).toBe(0);
  });

  test("has types that a program without those of Bun or Node compiles against", async () => {
    mkdirSync(join(folder.path, "types"));
    copyFileSync(fixture("package-types.ts"), join(folder.path, "types/program.ts"));
    const tsc = join(projectFolder, "node_modules/.bin/tsc");
    const kind = ["--module", "nodenext", "--target", "esnext", "--lib", "esnext,dom,dom.asynciterable"];
    const command = [tsc, "--noEmit", "--strict", ...kind, "--types", "", "types/program.ts"];
    expect(await runIn(folder.path, command)).toEqual({ out: "", err: "", code: 0 });
  });
});

test("the version is one of semantic versioning, and the changelog tells of it", () => {
  expect(packageJson.version).toMatch(/^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/);
  const changelog = readFileSync(join(projectFolder, "CHANGELOG.md"), "utf8");
  expect(changelog).toContain(`\n## [${packageJson.version}] - 20`);
});
