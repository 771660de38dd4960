/** Keeps the Dockerfile, compose.yaml and .dockerignore in step with the program, since nothing else reads them. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json";
import { readConfig } from "../config/config.ts";

const root = join(import.meta.dir, "../..");
const read = (name: string) => readFileSync(join(root, name), "utf8");
const dockerfile = read("Dockerfile");

describe("the container", () => {
  test("exposes and publishes the port of every listener", () => {
    const { port, ingestPort, udpPort, tlsPort, grpcPort } = readConfig([], {})!;
    const ports = [port, ingestPort, udpPort, tlsPort, grpcPort].filter((each) => each !== "off");
    expect(ports.length).toBeGreaterThan(3);
    const exposed = /^EXPOSE (.*)$/m
      .exec(dockerfile)![1]!
      .split(" ")
      .map((each) => Number.parseInt(each, 10));
    const published = Array.from(read("compose.yaml").matchAll(/:(\d+):\1(?:\/udp)?"/g), ([, each]) =>
      Number(each),
    );
    expect(exposed).toEqual(expect.arrayContaining(ports));
    expect(published).toEqual(exposed);
  });

  test("runs the version of Bun that package.json requires", () => {
    const images = Array.from(dockerfile.matchAll(/^FROM oven\/bun:([\d.]+)/gm), ([, tag]) => tag);
    expect(images.length).toBe(2);
    for (const tag of images) expect(packageJson.engines.bun).toBe(`>=${tag}`);
  });

  test("keeps all folders of the server in its volume", () => {
    const variables = Array.from(dockerfile.matchAll(/(WAVECACHE_\w+)=(\S+)/g), ([, name, value]) => [
      name!,
      value!,
    ]);
    const { cacheDir, recordingsDir, libraryDir } = readConfig([], Object.fromEntries(variables))!;
    for (const folder of [cacheDir, recordingsDir, libraryDir]) expect(folder).toStartWith("/data/");
  });

  test("checks the server's health by a command that parses", () => {
    const command = /^HEALTHCHECK .*?CMD (\[.*\])$/m.exec(dockerfile.replaceAll("\\\n", ""))![1]!;
    const [bun, flag, script] = JSON.parse(command);
    expect([bun, flag]).toEqual(["bun", "-e"]);
    expect(() => new Bun.Transpiler({ loader: "ts" }).transformSync(script)).not.toThrow();
    expect(script).toContain("/healthz");
  });

  test("copies only files that the server needs", () => {
    const kept = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    const copied = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm), ([, names]) =>
      names!.split(" "),
    );
    expect(new Set(copied.flat())).toEqual(new Set(kept.map((line) => line.slice(1))));
  });
});
