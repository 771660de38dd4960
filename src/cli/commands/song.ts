/** `song NAME`: gets a song from a server into a file, to stdout or to a player. */
import type { CAC } from "cac";
import type { SongDownload, SongResult } from "../../client/songs/song.ts";
import { openSongTls } from "../../client/songs/tls.ts";
import { openSongUdp, type SongUdpOptions } from "../../client/songs/udp.ts";
import { bunPlatform } from "../../client/transport/bun.ts";
import { parseAddress } from "../connect/address.ts";
import { tokenOf } from "../connect/access.ts";
import { accessOptions } from "../connect/server-options.ts";
import { trustOf } from "../connect/trust.ts";
import { flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { type CommandResult, printResult } from "../kit/results.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";
import { refuseWithoutPlayer } from "../playback/player.ts";
import { seekOption } from "../playback/seek.ts";
import {
  fileSink,
  outputPathOf,
  PlayerSink,
  type SongSink,
  standardOutputSink,
} from "../playback/song-sinks.ts";
import { speedText } from "../streams/transfer-report.ts";

const defaultTlsPort = 9999;
const defaultUdpPort = 9998;

export function registerSong(cli: CAC, context: Context): void {
  const command = cli
    .command("song <name>", "Get a song by its name, or play it while it arrives")
    .option("--tls <address>", `HOST[:PORT] of the server's songs over TLS (default port: ${defaultTlsPort})`)
    .option("--udp <address>", `HOST[:PORT] of the server's songs over UDP (default port: ${defaultUdpPort})`)
    .option("--reliable", "Over UDP, only reliable UDP (default: if the server speaks it)")
    .option("--plain", "Over UDP, only the older protocol, which loses what the network loses")
    .option("-o, --output <file>", "Output file, or - for standard output (default: last part of the name)")
    .option("--force", "Overwrite an existing file of the default name")
    .option("--play", "Play the song with ffplay, mpv or another installed player")
    .option("--seek <time>", "Start playing at this position: seconds, MM:SS or HH:MM:SS");
  jsonOption(accessOptions(command))
    .example("  $ bun run client song song.mp3 --tls localhost --ca cache/tls/cert.pem")
    .example("  $ bun run client song song.mp3 --udp 192.168.0.9")
    .example("  $ bun run client song albums/one/song.flac --tls music.example.org --play --seek 1:30")
    .action((name: string, options: Options) => song(name, options, context));
}

interface Plan {
  name: string;
  /** Undefined for no file, "-" for stdout. */
  output: string | undefined;
  play: boolean;
  seekSeconds: number | undefined;
}

async function song(name: string, options: Options, context: Context): Promise<void> {
  const plan = planOf(name, options, context);
  const connect = connectorOf(name, options, context);
  if (plan.play) refuseWithoutPlayer();
  await using opened = new AsyncDisposableStack();
  const sinks = await openSinks(plan, context);
  for (const sink of sinks) opened.defer(() => sink.close());
  await transfer(plan, await connect(), sinks, options, context);
}

/** Only opening the file can fail, and it comes first: an error leaves no sink open. */
async function openSinks(
  { output, play, seekSeconds }: Plan,
  { terminal, signal }: Context,
): Promise<SongSink[]> {
  const sinks: SongSink[] = [];
  if (output === "-") sinks.push(standardOutputSink(terminal));
  else if (output !== undefined) sinks.push(await fileSink(output));
  const onPlaying = (command: string) => terminal.note(`playing with ${command}`);
  if (play) sinks.push(new PlayerSink({ seekSeconds, signal }, onPlaying));
  return sinks;
}

function planOf(name: string, options: Options, { terminal }: Context): Plan {
  const given = textOption(options, "output");
  const play = flagOption(options, "play");
  const seekSeconds = seekOf(options, play);
  if (given === "-") terminal.giveStdoutToAudio("pipe it into a player, or give a file with --output FILE");
  const needsDefault = given === undefined && !play;
  const output = needsDefault ? outputPathOf(name, flagOption(options, "force")) : given;
  return { name, output, play, seekSeconds };
}

function seekOf(options: Options, play: boolean): number | undefined {
  if (!play && textOption(options, "seek") !== undefined) throw usageError("--seek is for --play");
  return seekOption(options);
}

/** Validates the options now and connects when the result is called. */
function connectorOf(name: string, options: Options, { signal }: Context): () => Promise<SongDownload> {
  const tls = textOption(options, "tls");
  const udp = textOption(options, "udp");
  const trust = trustOf(options);
  const token = tokenOf(options);
  const reliable = reliableOf(options, udp !== undefined);
  if (tls !== undefined && udp !== undefined) throw usageError("--tls and --udp exclude each other");
  if (udp !== undefined) {
    const { host, port } = parseAddress("udp", udp, defaultUdpPort);
    return () => openSongUdp({ host, port, name, token, signal, reliable });
  }
  if (tls === undefined) throw usageError("no server", "give one with --tls HOST:PORT or --udp HOST:PORT");
  const { host, port } = parseAddress("tls", tls, defaultTlsPort);
  return () => openSongTls({ host, port, name, token, trust, signal });
}

function reliableOf(options: Options, isUdp: boolean): SongUdpOptions["reliable"] {
  const [isReliable, isPlain] = [flagOption(options, "reliable"), flagOption(options, "plain")];
  if (isReliable && isPlain) throw usageError("--reliable and --plain exclude each other");
  if ((isReliable || isPlain) && !isUdp) throw usageError("--reliable and --plain are for --udp");
  return isReliable ? "only" : isPlain ? "never" : "auto";
}

async function transfer(
  plan: Plan,
  download: SongDownload,
  sinks: readonly SongSink[],
  options: Options,
  { terminal }: Context,
): Promise<void> {
  const digest = bunPlatform.newDigest("sha256");
  const startMs = performance.now();
  const progress = terminal.progress(plan.name, download.size);
  const received = await receive(download, sinks, (chunk, bytes) => {
    digest.update(chunk);
    progress.update(bytes);
  }).finally(() => progress.end());
  const receivedMs = performance.now() - startMs;
  const failure = received && failureOfResult(plan.name, received, download.size);
  for (const sink of sinks) if (failure === undefined || sink.keepsPartial) await sink.finish();
  if (failure !== undefined) throw failure;
  if (received === undefined) return;
  const ms = plan.play ? performance.now() - startMs : receivedMs;
  printResult(options, terminal, report(plan, received, digest.hex(), ms));
}

/** Passes the song to all sinks at the pace of the slowest. Undefined if every sink refused more before the end. */
async function receive(
  { chunks, result }: SongDownload,
  sinks: readonly SongSink[],
  onChunk: (chunk: Uint8Array, receivedBytes: number) => void,
): Promise<SongResult | undefined> {
  let receivedBytes = 0;
  for await (const chunk of chunks) {
    receivedBytes += chunk.length;
    onChunk(chunk, receivedBytes);
    const wanted = await Promise.all(sinks.map((sink) => sink.write(chunk)));
    if (!wanted.includes(true)) return undefined;
  }
  return await result;
}

function failureOfResult(name: string, result: SongResult, size: number | undefined): CliError | undefined {
  if (result.bytes === 0 && size === undefined) {
    const hint = "the command songs lists the names of a Wavecache server";
    return new CliError(`the server sent nothing, so it has no such song, or an empty one: ${name}`, hint);
  }
  if (result.complete !== false) return undefined;
  const cause =
    size === undefined ? `it ends after ${result.bytes} bytes` : `${result.bytes} of ${size} bytes arrived`;
  const hint = "request it again, with --reliable from a Wavecache server, or with --tls HOST:PORT";
  return new CliError(`the song is incomplete: ${cause}`, hint);
}

function report(plan: Plan, song: SongResult, sha256: string, ms: number): CommandResult {
  const { bytes, complete, verified } = song;
  const unverified = complete === true ? "complete" : "ended by the server";
  const { name, output = null } = plan;
  const json = { name, bytes, sha256, verified, output, durationMs: Math.round(ms) };
  const lines = table([
    ["Song", plan.name],
    // A player reads at the speed of playback, which says nothing about the network.
    ["Received", plan.play ? `${humanBytes(bytes)} (${bytes} bytes)` : speedText(bytes, ms)],
    ...(plan.play ? [["Played", humanDuration(ms)]] : []),
    ["SHA-256", sha256],
    ...(plan.output === undefined ? [] : [["Output", plan.output]]),
    [
      "Result",
      verified
        ? "identical to what the server has"
        : `${unverified}; not verified: the server provides no digest`,
    ],
  ]);
  return { json, lines };
}
