/**
 * `bun run bench:songs`: songs over UDP on loopback. First it measures the loss of the default pace to a client of the
 * plain protocol with the system's usual receive buffer (208 KiB on Linux: 74 ms of the default pace). Then it raises
 * the pace until datagrams are lost, with the reliable protocol beside it. Exit status 1 if the default pace loses one.
 */
import { cac } from "cac";
import { defaultUdpRateMbps, maxUdpTotalMbps } from "../../src/base/limits/songs.ts";
import { countOption, requiredText, textOption } from "../../src/cli/kit/arguments.ts";
import { exitFailure, usageError } from "../../src/cli/kit/failures.ts";
import { megabitsPerSecond, table } from "../../src/cli/kit/text.ts";
import { openSongUdp } from "../../src/client/songs/udp.ts";
import { SongServer } from "../../src/testing/harness/servers/song-server.ts";
import { songDatagramBytes } from "../../src/wire/song-udp.ts";
import { readCommandLine, runBench, writeReport } from "./command.ts";

export interface Settings {
  transfers: number;
  megabytes: number;
  atOnce: number;
  /** Transfers at each of the rising paces; 0 omits them. */
  probes: number;
  /** In megabits per second. */
  paces: readonly number[];
  json: string | undefined;
}

export interface PaceFigures {
  protocol: "old" | "reliable";
  /** The value of --udp-rate-mbps and the rate of one transfer, in megabits per second. */
  paceMbps: number;
  achievedMbps: number;
  transfers: number;
  atOnce: number;
  datagrams: number;
  lost: number;
  /** The longest stall of this process, the client: a receive buffer covers only so long. */
  clientLateMs: number;
}

const defaultPaces = "20,40,60,80,120,160,200,240";
const songName = "song";
/** A transfer whose last datagram is lost ends after this idle time. */
const idleTimeoutMs = 1_000;
const lateTickMs = 5;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:songs");
  cli
    .command("[...rest]", "Send songs over UDP")
    .usage("[options]\n\nSends songs over UDP from a server that is started for it.")
    .option("--transfers <count>", "Transfers at the default pace", { default: "100" })
    .option("--megabytes <count>", "Size of the song, in units of 10^6 bytes", { default: "5" })
    .option("--at-once <count>", "Concurrent transfers at the default pace", { default: "8" })
    .option("--probes <count>", "Transfers at each of the rising paces, one at a time", { default: "10" })
    .option("--paces <list>", "The rising paces, in megabits per second", { default: defaultPaces })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    transfers: countOption(options, "transfers", 1, 100_000),
    megabytes: countOption(options, "megabytes", 1, 1000),
    atOnce: countOption(options, "at-once", 1, 60),
    probes: countOption(options, "probes", 0, 1000),
    paces: pacesOf(requiredText(options, "paces")),
    json: textOption(options, "json"),
  }));
}

function pacesOf(text: string): number[] {
  const paces = text.split(",").map(Number);
  if (paces.every((pace) => Number.isInteger(pace) && pace >= 1 && pace <= maxUdpTotalMbps)) return paces;
  throw usageError(`--paces is not a list of whole numbers from 1 to ${maxUdpTotalMbps}: "${text}"`);
}

/** The default pace first, then the rising paces over both protocols. */
export async function measureSongs(settings: Settings): Promise<PaceFigures[]> {
  const { transfers, atOnce, probes, paces } = settings;
  const figures = [
    await measurePace(defaultUdpRateMbps, settings, { count: transfers, atOnce, protocol: "old" }),
  ];
  if (probes === 0) return figures;
  for (const pace of paces)
    figures.push(await measurePace(pace, settings, { count: probes, atOnce: 1, protocol: "old" }));
  for (const pace of [defaultUdpRateMbps, paces.at(-1)!])
    figures.push(await measurePace(pace, settings, { count: probes, atOnce: 1, protocol: "reliable" }));
  return figures;
}

interface Plan {
  count: number;
  atOnce: number;
  protocol: PaceFigures["protocol"];
}

async function measurePace(paceMbps: number, settings: Settings, plan: Plan): Promise<PaceFigures> {
  const bytes = settings.megabytes * 1_000_000;
  await using songs = await SongServer.start({ "udp-rate-mbps": paceMbps });
  songs.put(songName, new Uint8Array(bytes));
  const get = plan.protocol === "old" ? receivePlain : receiveReliable;
  let left = plan.count;
  let received = 0;
  let transferMs = 0;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const got = await get(songs.udpPort, bytes);
      received += got.bytes;
      transferMs += got.ms;
    }
  };
  const late = watchLateness();
  await Promise.all(Array.from({ length: plan.atOnce }, client));
  const lost = Math.ceil((plan.count * bytes - received) / songDatagramBytes);
  return {
    protocol: plan.protocol,
    paceMbps,
    achievedMbps: megabitsPerSecond(received, transferMs),
    transfers: plan.count,
    atOnce: plan.atOnce,
    datagrams: plan.count * Math.ceil((bytes + 1) / songDatagramBytes),
    lost,
    clientLateMs: late.end(),
  };
}

/** Measures until disposed: the maximum lateness of a timer of a few milliseconds. */
function watchLateness(): { end: () => number } {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last - lateTickMs);
    last = now;
  }, lateTickMs);
  return {
    end: () => {
      clearInterval(timer);
      return worst;
    },
  };
}

interface Got {
  bytes: number;
  ms: number;
}

/** A minimal client: it has the system's default receive buffer and only counts. */
async function receivePlain(port: number, wanted: number): Promise<Got> {
  const { promise, resolve } = Promise.withResolvers<Got>();
  const start = performance.now();
  let bytes = 0;
  let lastAt = start;
  const over = () => resolve({ bytes, ms: lastAt - start });
  let idleTimer = setTimeout(over, idleTimeoutMs);
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: {
      data: (_socket, datagram) => {
        bytes += datagram.length;
        lastAt = performance.now();
        clearTimeout(idleTimer);
        if (datagram.length < songDatagramBytes || bytes === wanted) over();
        else idleTimer = setTimeout(over, idleTimeoutMs);
      },
      error: over,
    },
  });
  socket.send(songName);
  const got = await promise;
  clearTimeout(idleTimer);
  socket.close();
  return got;
}

async function receiveReliable(port: number): Promise<Got> {
  const start = performance.now();
  const download = await openSongUdp({ host: "127.0.0.1", port, name: songName, reliable: "only" });
  let bytes = 0;
  for await (const chunk of download.chunks) bytes += chunk.length;
  return { bytes, ms: performance.now() - start };
}

function lines(figures: readonly PaceFigures[]): string[] {
  const head = [
    "PROTOCOL",
    "PACE Mbit/s",
    "RATE Mbit/s",
    "TRANSFERS",
    "AT ONCE",
    "DATAGRAMS",
    "LOST",
    "CLIENT LATE ms",
  ];
  const rows = figures.map((each) => [
    each.protocol,
    String(each.paceMbps),
    each.achievedMbps.toFixed(1),
    String(each.transfers),
    String(each.atOnce),
    String(each.datagrams),
    String(each.lost),
    each.clientLateMs.toFixed(0),
  ]);
  return table([head, ...rows], [1, 2, 3, 4, 5, 6, 7]);
}

/** The highest pace below the first one with a loss. */
function highestWithoutLoss(figures: readonly PaceFigures[]): number | undefined {
  const old = figures.filter(({ protocol }) => protocol === "old").sort((a, b) => a.paceMbps - b.paceMbps);
  const firstLoss = old.findIndex(({ lost }) => lost > 0);
  return old.slice(0, firstLoss === -1 ? undefined : firstLoss).at(-1)?.paceMbps;
}

async function run(settings: Settings): Promise<number> {
  const figures = await measureSongs(settings);
  for (const line of lines(figures)) process.stdout.write(`${line}\n`);
  const highest = highestWithoutLoss(figures);
  process.stdout.write(
    `\nhighest pace without loss: ${highest === undefined ? "none" : `${highest} Mbit/s`}\n`,
  );
  await writeReport(settings, { figures, highestWithoutLossMbps: highest ?? null });
  return figures[0]!.lost === 0 ? 0 : exitFailure;
}

if (import.meta.main) await runBench(readSettings, run);
