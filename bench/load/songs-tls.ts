/**
 * `bun run bench:songs-tls`: how fast one client downloads one song over TLS, beside the same download from nginx and
 * `openssl s_server -WWW` if they are installed. The servers alternate in each round. Exit status 1 if bytes are missing.
 */
import { cac } from "cac";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { MiB } from "../../src/base/limits/units.ts";
import { countOption, type Options, runCommand } from "../../src/cli/kit/arguments.ts";
import { exitFailure, failureOf, usageError } from "../../src/cli/kit/failures.ts";
import { table } from "../../src/cli/kit/text.ts";
import { makeCertificate, writeCertificate } from "../../src/testing/harness/certificates.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { within } from "../../src/testing/harness/until.ts";
import { processProbe } from "./figures.ts";
import { thisMachine } from "./machine.ts";
import { type FileServer, openRivals } from "./tls-rivals.ts";

export interface Settings {
  sizeMiB: number;
  rounds: number;
}

export interface SubjectFigures {
  name: string;
  /** Bytes per second, one entry per round. */
  rates: number[];
  /** Processor time of the server over all rounds; undefined if the system does not report it. */
  cpuSeconds: number | undefined;
}

const transferLimitMs = 120_000;
const songName = "song.bin";

/** Measures the real server and its rivals; throws if a transfer is incomplete. */
export async function measureSongsTls({ sizeMiB, rounds }: Settings): Promise<SubjectFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), "wavecache-bench-"));
  try {
    const paths = await writeCertificate(folder, await makeCertificate());
    await writeSong(join(folder, songName), sizeMiB);
    await using ours = await openOurs(folder, paths);
    const rivals = await openRivals(folder, songName, paths);
    await using stack = new AsyncDisposableStack();
    for (const rival of rivals) stack.use(rival);
    return await takeTurns([ours, ...rivals], sizeMiB * MiB, rounds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writeSong(path: string, sizeMiB: number): Promise<void> {
  const writer = Bun.file(path).writer();
  for (let part = 0; part < sizeMiB; part++) {
    const bytes = new Uint8Array(MiB);
    for (let at = 0; at < MiB; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    writer.write(bytes);
    await writer.flush();
  }
  await writer.end();
}

async function openOurs(folder: string, { cert, key }: { cert: string; key: string }): Promise<FileServer> {
  const library = join(folder, "library");
  mkdirSync(library);
  await Bun.write(join(library, songName), Bun.file(join(folder, songName)));
  const flags = { "tls-port": 0, "tls-cert": cert, "tls-key": key, "library-dir": library };
  const server = await TestServer.start({ flags });
  return {
    name: "Wavecache",
    port: Number(/tls:\/\/\S+:(\d+)/.exec(server.stdout)![1]),
    pid: server.pid,
    request: songName,
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}

async function takeTurns(servers: FileServer[], bytes: number, rounds: number): Promise<SubjectFigures[]> {
  const figures = servers.map(({ name }): SubjectFigures => ({ name, rates: [], cpuSeconds: undefined }));
  // Do not count the first round, which warms up caches and compilers.
  for (let round = 0; round <= rounds; round++) {
    for (let position = 0; position < servers.length; position++) {
      // Each round starts with another server, since the machine's noise comes in stretches.
      const at = (round + position) % servers.length;
      const { rate, cpuSeconds } = await fetchOnce(servers[at]!, bytes);
      if (round === 0) continue;
      figures[at]!.rates.push(rate);
      if (cpuSeconds !== undefined) figures[at]!.cpuSeconds = (figures[at]!.cpuSeconds ?? 0) + cpuSeconds;
    }
  }
  return figures;
}

async function fetchOnce(server: FileServer, bytes: number) {
  const probe = processProbe(server.pid);
  const before = await probe();
  const began = performance.now();
  const received = await within(`the file from ${server.name}`, transferLimitMs, receive(server));
  const seconds = (performance.now() - began) / 1000;
  const after = await probe();
  // HTTP servers also send a head of a few hundred bytes.
  if (received < bytes) throw new Error(`${server.name} sent ${received} of ${bytes} bytes`);
  const cpuSeconds = before && after && after.cpuSeconds - before.cpuSeconds;
  return { rate: received / seconds, cpuSeconds };
}

function receive({ port, request }: FileServer): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () =>
      socket.write(request),
    );
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
    socket.once("end", () => resolve(bytes)).once("error", reject);
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function megabytes(rate: number): string {
  return `${(rate / 1e6).toFixed(0)} MB/s`;
}

function report({ sizeMiB, rounds }: Settings, figures: readonly SubjectFigures[]): string[] {
  const [ours, ...rivals] = figures;
  const rows = figures.map(({ name, rates, cpuSeconds }) => {
    const shares = rates.map((rate, round) => ours!.rates[round]! / rate);
    const range = `${megabytes(Math.min(...rates))} to ${megabytes(Math.max(...rates))}`;
    const cpu = cpuSeconds === undefined ? "-" : `${((cpuSeconds * 1024) / (sizeMiB * rounds)).toFixed(2)} s`;
    return [name, megabytes(median(rates)), range, cpu, name === ours!.name ? "" : median(shares).toFixed(2)];
  });
  const { processors, model } = thisMachine();
  const head = ["SERVER", "MEDIAN", "ROUNDS", "PROCESSOR TIME A GIB", "OURS OF IT"];
  const none =
    rivals.length === 0 ? ["", "neither nginx nor openssl is installed: nothing to compare with"] : [];
  const title = `one client, ${sizeMiB} MiB, ${rounds} rounds; ${processors} processors, ${model}`;
  return [title, "", ...table([head, ...rows], [1, 2, 3, 4]), ...none];
}

function readSettings(args: string[]): Settings | undefined {
  let settings: Settings | undefined;
  const cli = cac("bun run bench:songs-tls");
  cli
    .command("[...rest]", "Send a song over TLS")
    .usage("[options]\n\nSends a song over TLS, beside nginx and openssl s_server.")
    .option("--size-mib <count>", "Size of the song", { default: "256" })
    .option("--rounds <count>", "Rounds", { default: "9" })
    .action((rest: string[], options: Options) => {
      if (rest.length > 0) throw usageError(`unexpected argument "${rest[0]}"`);
      settings = {
        sizeMiB: countOption(options, "size-mib", 1, 4096),
        rounds: countOption(options, "rounds", 1, 1000),
      };
    });
  cli.help((sections) => sections.filter(({ title = "" }) => !/^(Commands|For more info)/.test(title)));
  runCommand(cli, args);
  return settings;
}

async function main(args: string[]): Promise<number> {
  try {
    const settings = readSettings(args);
    if (settings === undefined) return 0;
    const figures = await measureSongsTls(settings);
    process.stdout.write(`${report(settings, figures).join("\n")}\n`);
    return 0;
  } catch (error) {
    const { line } = failureOf(error);
    process.stderr.write(`${line}\n`);
    return exitFailure;
  }
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)));
