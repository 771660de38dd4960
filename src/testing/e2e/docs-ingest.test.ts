/** The clients of docs/ingest.md, run as a reader would run them, against a real server. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../harness/documents.ts";
import { recordedSegments } from "../harness/recorded-files.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();

const runLimitMs = 20_000;
const sampleRate = 16_000;
/** Not a multiple of a frame's 320 samples: the last frame is short. */
const sine = Int16Array.from({ length: sampleRate + 100 }, (_, at) => 12_000 * Math.sin(at * 0.05));
const compiler = Bun.which("cc");
const python = Bun.which("python3");

const example = (name: string): string => join(projectFolder, "docs/examples", name);

async function run(command: string[], stdin?: Uint8Array): Promise<string> {
  const child = Bun.spawn(command, { stdin: stdin ?? "ignore", stdout: "pipe", stderr: "pipe" });
  try {
    const all = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    const [out, err, code] = await within(command.join(" "), runLimitMs, all);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    return out;
  } finally {
    child.kill("SIGKILL");
  }
}

function wavFile(samples: Int16Array): Buffer {
  const file = Buffer.alloc(44 + samples.byteLength);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + samples.byteLength, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(2 * sampleRate, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(samples.byteLength, 40);
  file.set(new Uint8Array(samples.buffer), 44);
  return file;
}

/** The one recording of a device, once it is over. */
async function recordingOf(server: TestServer, hwid: string) {
  await until("the recording's end", runLimitMs, () =>
    new RegExp(`recording ended .*device=${hwid} `).test(server.log),
  );
  const segments = recordedSegments(join(server.folder, "received", hwid));
  expect(segments.length).toBe(1);
  return segments[0]!;
}

function portOf(server: TestServer): string {
  return new URL(server.url).port;
}

test.skipIf(python === null)(
  "the Python client streams a WAV file that is recorded sample by sample",
  async () => {
    await using server = await TestServer.start();
    using folder = temporaryFolder();
    const wav = join(folder.path, "sine.wav");
    writeFileSync(wav, wavFile(sine));
    const out = await run([python!, example("ingest.py"), wav, "py-1", "127.0.0.1", portOf(server)]);
    expect(out).toBe("51 frames sent, the server closed with 1000\n");
    const { samples, frames } = await recordingOf(server, "py-1");
    expect(frames.length).toBe(51);
    expect(samples).toEqual(sine);
  },
);

test.skipIf(compiler === null)("the C client compiles without a warning and streams IMA ADPCM", async () => {
  await using server = await TestServer.start();
  using folder = temporaryFolder();
  const program = join(folder.path, "ingest");
  const strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"];
  await run([compiler!, ...strict, "-o", program, example("ingest.c")]);
  const out = await run([program, "127.0.0.1", portOf(server), "c-1"], new Uint8Array(sine.buffer));
  expect(out).toBe("51 frames sent\n");
  const { samples, frames } = await recordingOf(server, "c-1");
  expect(frames.length).toBe(51);
  expect(samples.length).toBe(sine.length);
  expect(signalToNoise(sine, samples)).toBeGreaterThan(25);
  await server.untilLogged(/nibble order .*device=c-1 .*order=low by=matched/);
});

/** In dB. */
function signalToNoise(signal: Int16Array, decoded: Int16Array): number {
  const power = (value: (at: number) => number) => signal.reduce((sum, _, at) => sum + value(at) ** 2, 0);
  return 10 * Math.log10(power((at) => signal[at]!) / power((at) => signal[at]! - decoded[at]!));
}
