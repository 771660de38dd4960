/** The image, built by the steps of the Dockerfile and run as an engine would: another user, and a root that is read-only. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./fixtures/temporary-folder.ts";
import { canBuildImages, ContainerImage } from "./harness/container-image.ts";
import { runIn, verifyPage, verifyRoundTrip } from "./harness/installation.ts";
import { TestServer, useServers } from "./harness/server.ts";

useServers();
const megabyte = 1e6;
const commit = "0123456789";
const client = [join(import.meta.dir, "../program/wavecache.ts"), "client"];

describe.skipIf(!canBuildImages())("the image", () => {
  const folder = temporaryFolder();
  let image: ContainerImage;
  beforeAll(async () => (image = await ContainerImage.build(folder.path, commit)));
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test("has 40 MB at most beside Bun and its base, and a program that its user cannot change", () => {
    const bunBytes = statSync(process.execPath).size;
    expect(image.bytes - bunBytes).toBeLessThan(40 * megabyte);
    const { uid, mode } = statSync(join(image.root, "usr/local/bin/wavecache"));
    expect([uid, mode & 0o022]).toEqual([0, 0]);
    expect(image.config.User).toBe("1000:1000");
  });

  test("serves the page and round trips, keeps all state in its volume, and passes its health check", async () => {
    const volume = join(folder.path, "volume");
    mkdirSync(volume);
    const run = image.command(volume);
    const flags = {
      "cache-dir": "/data/cache",
      "recordings-dir": "/data/received",
      "library-dir": "/data/library",
      // Another server of this machine may have the usual ports.
      "ingest-port": 0,
      "udp-port": 0,
      "tls-port": 0,
      "grpc-port": 0,
    };
    const program = [...run, ...image.config.Entrypoint.slice(0, 2)];
    await using server = await TestServer.start({ program, flags });
    await verifyPage(server);
    await verifyRoundTrip(server, client);
    expect(statSync(join(volume, "cache/catalog.db")).size).toBeGreaterThan(0);
    const [, ...check] = image.config.Healthcheck.Test;
    const here = check.map((word) => (word === "8080" ? new URL(server.url).port : word));
    expect(await runIn(folder.path, [...run, ...here])).toEqual({ out: "alive\n", err: "", code: 0 });
    expect((await runIn(folder.path, [...run, "wavecache", "--version"])).out).toContain(
      `(commit ${commit}, `,
    );
  });
});
