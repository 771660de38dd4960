import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { cleanups } from "../../testing/fixtures/client.ts";
import { runClient, startClient } from "../../testing/harness/client-process.ts";
import { until } from "../../testing/harness/until.ts";
import { melody, pcmBytes, wavFile } from "../../testing/fixtures/wav.ts";

const cleanup = cleanups();
const pcm = melody(20_000, 1);
let folder = "";

beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "wavecache-listen-"))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A server that records the device "kitchen"; `ends` closes the response after the audio. */
function liveServer(ends: boolean) {
  const pieces = [Buffer.concat([encodeWavHeader(16_000, 1, undefined), pcmBytes(pcm)])];
  let asked = 0;
  const fetch = (request: Request) => {
    asked++;
    const error = { code: "RECORDING_UNKNOWN", message: "no such recording now", hint: "start the device" };
    if (!request.url.endsWith("/live/kitchen.wav")) return Response.json({ error }, { status: 404 });
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(piece);
        if (ends) controller.close();
      },
    });
    return new Response(stream, { headers: { "content-type": "audio/wav" } });
  };
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch, idleTimeout: 30 });
  cleanup(() => server.stop(true));
  return { url: `ws://127.0.0.1:${server.port}/audio`, asked: () => asked };
}

const run = (...args: string[]) => runClient(["listen", ...args], { cwd: folder });

describe("listen", () => {
  test("writes a valid WAV file when the recording ends", async () => {
    const { out, err, code } = await run("kitchen", "-o", "a.wav", "-s", liveServer(true).url);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(readFileSync(join(folder, "a.wav")).equals(wavFile(pcm, 1))).toBe(true);
    expect(out).toMatch(/^Heard +1\.250 s, 39\.06 KiB\nFormat +16000 Hz, 1 channel\nOutput +a\.wav\n$/);
  });

  test("ends after exactly --seconds of audio, and has a default output name", async () => {
    const { code } = await run("kitchen", "--seconds", "1", "-s", liveServer(false).url);
    expect(code).toBe(0);
    const [made = ""] = readdirSync(join(folder, "audio", "output"));
    expect(made).toMatch(/^output-.*-kitchen\.wav$/);
    const file = readFileSync(join(folder, "audio", "output", made));
    expect(file.equals(wavFile(pcm.slice(0, 16_000), 1))).toBe(true);
  });

  test("keeps the audio so far when it is interrupted, with correct sizes", async () => {
    const server = liveServer(false);
    const child = startClient(["listen", "kitchen", "-o", "cut/b.wav", "-s", server.url], { cwd: folder });
    const partBytes = () =>
      readdirSync(folder).includes("cut") &&
      readdirSync(join(folder, "cut")).some(
        (name) => readFileSync(join(folder, "cut", name)).length === 40_044,
      );
    await until("the audio", 5_000, partBytes);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(await child.stderr.text()).toBe("interrupted\n");
    expect(readdirSync(join(folder, "cut"))).toEqual(["b.wav"]);
    expect(readFileSync(join(folder, "cut", "b.wav")).equals(wavFile(pcm, 1))).toBe(true);
  });

  test("writes only the audio to standard output, as it arrives", async () => {
    const { url } = liveServer(true);
    const child = startClient(["listen", "kitchen", "--output", "-", "-s", url], { cwd: folder });
    const heard = Buffer.from(await child.stdout.bytes());
    expect(await child.exited).toBe(0);
    const endless = Buffer.concat([encodeWavHeader(16_000, 1, undefined), pcmBytes(pcm)]);
    expect(heard.equals(endless)).toBe(true);
  });

  test("prints the server's message if a device is not recorded, and writes no file", async () => {
    const { err, code } = await run("attic", "-o", "none/c.wav", "-s", liveServer(true).url);
    expect(err).toBe("error: the server refused: no such recording now (start the device)\n");
    expect(code).toBe(1);
    expect(readdirSync(folder)).not.toContain("none");
  });
});
