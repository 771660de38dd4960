/** What an installation must do, whatever form it has: it is tried as its user would. */
import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "./documents.ts";
import type { TestServer } from "./server.ts";
import { within } from "./until.ts";

const limitMs = 50_000;
const sample = join(projectFolder, "data/samples/music-44k-stereo.mp3");

/** Runs a program to its end in a folder; kills it at the limit. */
export async function runIn(folder: string, command: string[], env: Record<string, string> = {}) {
  const options = { cwd: folder, env: { ...process.env, ...env }, stdin: "ignore" } as const;
  const child = Bun.spawn(command, { ...options, stdout: "pipe", stderr: "pipe" });
  try {
    const all = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    const [out, err, code] = await within(command.join(" "), limitMs, all);
    return { out, err, code };
  } finally {
    child.kill("SIGKILL");
  }
}

/** Uploads a sample with the client of the installation, downloads it again, and has its properties read. */
export async function verifyRoundTrip(server: TestServer, client: string[]): Promise<void> {
  const trip = [...client, "--input", sample, "--output", "back.mp3", "--server", server.url];
  const { out, err, code } = await runIn(server.folder, trip);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out).toMatch(/^Result +identical$/m);
  expect(await Bun.file(join(server.folder, "back.mp3")).bytes()).toEqual(await Bun.file(sample).bytes());
}

/** The page with every script and style that it names. */
export async function verifyPage({ httpBase }: TestServer): Promise<void> {
  const page = await fetch(`${httpBase}/`);
  expect(page.headers.get("content-type")).toStartWith("text/html");
  const paths = Array.from(
    (await page.text()).matchAll(/(?:src|href)="\.?\/?(assets\/[^"]+)"/g),
    ([, path]) => path,
  );
  expect(paths.length).toBeGreaterThan(1);
  for (const path of paths) expect((await fetch(`${httpBase}/${path}`)).status).toBe(200);
}

/** A gRPC device plays a song of the library: what loads definitions, decodes MP3 and encodes Opus is there. */
export async function verifyDevice(server: TestServer, client: string[]): Promise<void> {
  // About a second of the sample: a script that ends with `play` waits for the whole sound.
  await Bun.write(join(server.folder, "library/mode_1.mp3"), Bun.file(sample).slice(0, 16_384));
  const grpc = `127.0.0.1:${server.grpcPort}`;
  const device = ["device", "--id", "lamp", "--press", "mode,play", "--output", "sounds"];
  const { err, code } = await runIn(server.folder, [...client, ...device, "--grpc", grpc]);
  expect({ err, code }).toMatchObject({ code: 0 });
  const [sound, ...others] = readdirSync(join(server.folder, "sounds"));
  expect(others).toEqual([]);
  expect(Bun.file(join(server.folder, "sounds", sound!)).size).toBeGreaterThan(1_000);
}
