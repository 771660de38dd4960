/** The receiver of docs/events.md, run as a reader would run it, through kill -9 of itself and of the server. */
import { expect, test } from "bun:test";
import { openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { codeBlocks, projectFolder, readDocument } from "../harness/documents.ts";
import { freePort } from "../harness/free-port.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 15_000;
const program = codeBlocks(readDocument("docs/events.md")).find(({ marks }) => marks.includes("receiver"))!;

/** The program of the page in a folder of its own; what it prints in all of its runs goes into one file. */
class Receiver implements AsyncDisposable {
  readonly port = freePort();
  readonly #folder: string;
  readonly #printed: string;
  #process: Bun.Subprocess | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#printed = join(folder, "printed");
    writeFileSync(join(folder, "receiver.ts"), program.text);
    writeFileSync(this.#printed, "");
    symlinkSync(join(projectFolder, "node_modules"), join(folder, "node_modules"));
  }

  start(secretFile: string): void {
    const command = [process.execPath, "receiver.ts", secretFile, String(this.port)];
    const output = openSync(this.#printed, "a");
    this.#process = Bun.spawn(command, {
      cwd: this.#folder,
      stdin: "ignore",
      stdout: output,
      stderr: "inherit",
    });
  }

  async kill9(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** The ids of the events of each recording, by its name, repeats included. */
  get shown(): Map<string, string[]> {
    const lines = readFileSync(this.#printed, "utf8").split("\n").slice(0, -1);
    const shown = new Map<string, string[]>();
    for (const line of lines) {
      const [, id, name] = /^(\d+) (\S+) \d+ bytes$/.exec(line)!;
      shown.set(name!, [...(shown.get(name!) ?? []), id!]);
    }
    return shown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
  }
}

async function record(server: TestServer, hwid: string): Promise<void> {
  const before = (await allRecordings(server.httpBase)).length;
  const device = await IngestDevice.open(server.httpBase, pcmFormat, hwid);
  for (let frame = 0; frame < 10; frame += 1) device.send(countingPayload(frame * 320, 320));
  await device.close();
  await until("a recording", limitMs, async () => (await allRecordings(server.httpBase)).length > before);
}

test("the receiver of the page misses no recording, whoever is killed, and repeats have equal ids", async () => {
  expect(program.text.split("\n").length).toBeLessThanOrEqual(24);
  using folder = temporaryFolder();
  await using receiver = new Receiver(folder.path);
  const hook = `show=http://127.0.0.1:${receiver.port}/ recording.closed`;
  const flags = { hook, "hook-allow": "127.0.0.1", "sync-seconds": 1 };
  await using server = await TestServer.start({ flags });
  const secretFile = join(server.cacheDir, "hook-secret");
  receiver.start(secretFile);
  await record(server, "kitchen");
  await until("the first recording to be shown", limitMs, () => receiver.shown.size === 1);
  // Down while one is recorded, and while the server crashes with one that it could not deliver.
  await receiver.kill9();
  await record(server, "hall");
  await server.kill9();
  await server.restart();
  await record(server, "kitchen");
  receiver.start(secretFile);
  await until("all three to be shown", limitMs, () => receiver.shown.size === 3);
  // Killed at the moment at which it gets one.
  const recording = record(server, "hall");
  await receiver.kill9();
  await recording;
  receiver.start(secretFile);
  await until("the fourth one to be shown", limitMs, () => receiver.shown.size === 4);
  const names = (await allRecordings(server.httpBase)).map(({ wav }) => wav.path.replace(/\.wav$/, ""));
  expect([...receiver.shown.keys()].toSorted()).toEqual(names.toSorted());
  for (const ids of receiver.shown.values()) expect(new Set(ids).size).toBe(1);
});

test("the receiver of the page refuses what is not signed with the secret", async () => {
  using folder = temporaryFolder();
  await using receiver = new Receiver(folder.path);
  const secretFile = join(folder.path, "secret");
  writeFileSync(secretFile, `whsec_${Buffer.alloc(32, 7).toString("base64")}\n`);
  receiver.start(secretFile);
  const status = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${receiver.port}/`, { method: "POST", body: "{}" })).status;
    } catch {
      return undefined;
    }
  };
  expect(await until("the receiver to listen", limitMs, status)).toBe(401);
});
