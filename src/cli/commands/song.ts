/** `song NAME`: a song from a server, into a file, to standard output or to a player. */
import type { CAC } from "cac";
import { bunPlatform } from "../../client/transport/bun.ts";
import { openSongTls } from "../../client/songs/tls.ts";
import { openSongUdp } from "../../client/songs/udp.ts";
import type { SongDownload, SongResult } from "../../client/songs/song.ts";
import { flagOption, type Options, textOption } from "../kit/arguments.ts";
import { parseAddress } from "../streams/address.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { refuseWithoutPlayer } from "../playback/player.ts";
import { parseSeek } from "../playback/players.ts";
import {
  fileSink,
  pathFromName,
  PlayerSink,
  type SongSink,
  standardOutputSink,
} from "../playback/song-sinks.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";
import { type Context, speedLine } from "../streams/transfers.ts";
import { trustOf, trustOptions } from "../streams/trust.ts";

const defaultTlsPort = 9999;
const defaultUdpPort = 9998;

export function registerSong(cli: CAC, context: Context): void {
  const command = cli
    .command("song <name>", "Get a song by its name, or play it while it comes")
    .option(
      "--tls <address>",
      `HOST:PORT of the server's songs over TLS (port ${defaultTlsPort} if left out)`,
    )
    .option("--udp <address>", `HOST:PORT of its songs over UDP (port ${defaultUdpPort} if left out)`)
    .option("-o, --output <file>", "File to write, or - for standard output (default: the end of the name)")
    .option("--force", "Write over a file of that name")
    .option("--play", "Play it with ffplay, mpv or another player of this machine")
    .option("--seek <time>", "Where to begin to play: seconds, MM:SS or HH:MM:SS");
  trustOptions(command)
    .example("  $ bun run client song song.mp3 --tls localhost --ca cache/tls/cert.pem")
    .example("  $ bun run client song song.mp3 --udp 192.168.0.9")
    .example("  $ bun run client song albums/one/song.flac --tls music.example.org --play --seek 1:30")
    .action((name: string, options: Options) => song(name, options, context));
}

/** What is to be done with a song. */
interface Plan {
  name: string;
  /** Undefined for none, "-" for standard output. */
  output: string | undefined;
  play: boolean;
  seekSeconds: number | undefined;
}

async function song(name: string, options: Options, context: Context): Promise<void> {
  const plan = planOf(name, options, context);
  const open = connectionOf(name, options, context);
  if (plan.play) refuseWithoutPlayer();
  await using opened = new AsyncDisposableStack();
  const sinks = await sinksOf(plan, context, (sink) => opened.defer(() => sink.close()));
  await transfer(plan, await open(), sinks, context);
}

async function sinksOf(
  { output, play, seekSeconds }: Plan,
  { terminal, signal }: Context,
  onOpen: (sink: SongSink) => void,
): Promise<SongSink[]> {
  const sinks: SongSink[] = [];
  if (output === "-") sinks.push(standardOutputSink(terminal));
  else if (output !== undefined) sinks.push(await fileSink(output));
  const onPlaying = (command: string) => terminal.note(`playing with ${command}`);
  if (play) sinks.push(new PlayerSink({ seekSeconds, signal }, onPlaying));
  sinks.forEach(onOpen);
  return sinks;
}

function planOf(name: string, options: Options, { terminal }: Context): Plan {
  const given = textOption(options, "output");
  const play = flagOption(options, "play");
  const seek = textOption(options, "seek");
  const seekSeconds = seek === undefined ? undefined : parseSeek(seek);
  if (seek !== undefined && !play) throw usageError("--seek is for --play");
  if (seek !== undefined && seekSeconds === undefined) {
    throw usageError(`--seek is no time: "${seek}"`, "give it like 90, 1:30 or 1:01:30");
  }
  if (given === "-" && terminal.printsToScreen) {
    throw usageError(
      "standard output is a terminal",
      "pipe it into a player, or give a file with --output FILE",
    );
  }
  const isNamed = given !== undefined || play;
  return {
    name,
    output: isNamed ? given : pathFromName(name, flagOption(options, "force")),
    play,
    seekSeconds,
  };
}

/** Checks the options before anything is done. */
function connectionOf(name: string, options: Options, { signal }: Context): () => Promise<SongDownload> {
  const tls = textOption(options, "tls");
  const udp = textOption(options, "udp");
  const trust = trustOf(options);
  if (tls !== undefined && udp !== undefined) throw usageError("--tls and --udp exclude each other");
  if (udp !== undefined) {
    const { host, port } = parseAddress("udp", udp, defaultUdpPort);
    return () => openSongUdp({ host, port, name, signal });
  }
  if (tls === undefined) throw usageError("no server", "give one with --tls HOST:PORT or --udp HOST:PORT");
  const { host, port } = parseAddress("tls", tls, defaultTlsPort);
  return () => openSongTls({ host, port, name, trust, signal });
}

async function transfer(
  plan: Plan,
  download: SongDownload,
  sinks: readonly SongSink[],
  context: Context,
): Promise<void> {
  const digest = bunPlatform.newDigest("sha256");
  const start = performance.now();
  const received = await receive(plan, download, sinks, context, (bytes) => digest.update(bytes));
  const receivedMs = performance.now() - start;
  const fault = received && faultOf(plan, received, download.size);
  for (const sink of sinks) if (fault === undefined || sink.takesParts) await sink.finish();
  if (fault !== undefined) throw fault;
  if (received === undefined) return;
  const ms = plan.play ? performance.now() - start : receivedMs;
  const lines = report(plan, received, digest.hex(), ms);
  for (const line of lines) {
    if (plan.output === "-") context.terminal.note(line);
    else context.terminal.print(line);
  }
}

/** Until the end, or until nobody wants any more: then undefined. */
async function receive(
  { name }: Plan,
  { chunks, result, size }: SongDownload,
  sinks: readonly SongSink[],
  { terminal }: Context,
  onChunk: (bytes: Uint8Array) => void,
): Promise<SongResult | undefined> {
  const progress = terminal.progress(name, size);
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      onChunk(chunk);
      bytes += chunk.length;
      progress.update(bytes);
      const wanted = await Promise.all(sinks.map((sink) => sink.write(chunk)));
      if (!wanted.includes(true)) return undefined;
    }
    return await result;
  } finally {
    progress.end();
  }
}

/** What is wrong with a song that has ended. */
function faultOf({ name }: Plan, result: SongResult, size: number | undefined): CliError | undefined {
  if (result.bytes === 0 && size === undefined) {
    const hint = "the command songs lists the names of a Wavecache server";
    return new CliError(`the server sent nothing, so it has no such song, or an empty one: ${name}`, hint);
  }
  if (result.complete !== false) return undefined;
  const came =
    size === undefined ? `it ends after ${result.bytes} bytes` : `${result.bytes} of ${size} bytes came`;
  return new CliError(
    `the song is incomplete: ${came}`,
    "ask for it again, or over TLS with --tls HOST:PORT",
  );
}

function report(plan: Plan, { bytes, complete, verified }: SongResult, sha256: string, ms: number): string[] {
  const whole = complete === true ? "whole" : "ended by the server";
  return table([
    ["Song", plan.name],
    // A player takes it no faster than it plays.
    ["Received", plan.play ? `${humanBytes(bytes)} (${bytes} bytes)` : speedLine(bytes, ms)],
    ...(plan.play ? [["Played", humanDuration(ms)]] : []),
    ["SHA-256", sha256],
    ...(plan.output === undefined ? [] : [["Output", plan.output]]),
    ["Result", verified ? "identical to what the server has" : `${whole}; not verified: it gives no digest`],
  ]);
}
