/** `play ID`: plays a stream while it arrives. */
import type { CAC } from "cac";
import type { ApiOptions } from "../../client/http/api.ts";
import { periodAudio } from "../../client/http/periods.ts";
import { getStream } from "../../client/http/streams.ts";
import { streamAudio } from "../../client/http/stream-audio.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { refuseWithoutPlayer } from "../playback/player.ts";
import { seekOption } from "../playback/seek.ts";
import { PlayerSink } from "../playback/song-sinks.ts";
import { noAudioOf, periodOption } from "../recordings/period.ts";
import { noSuchStream } from "../streams/catalog.ts";

export function registerPlay(cli: CAC, context: Context): void {
  const command = cli
    .command("play <id>", "Play a stream by its id or name, with ffplay, mpv or another installed player")
    .option("--seek <time>", "Start playing at this position: seconds, MM:SS or HH:MM:SS");
  command
    .option("--from <time>", "Play the recordings of the device with this id, from this time on")
    .option("--to <time>", "With --from: up to this time (default: now)");
  serverOption(command)
    .example("  $ bun run client play my-song")
    .example("  $ bun run client play song.mp3 --seek 1:30")
    .example("  $ bun run client play kitchen --from 2025-01-31T10:00:05")
    .action((id: string, options: Options) => play(id, options, context));
}

async function play(idOrName: string, options: Options, { terminal, ...context }: Context): Promise<void> {
  const seekSeconds = seekOption(options);
  refuseWithoutPlayer();
  const api = apiSettings(options, { terminal, ...context });
  const audio =
    textOption(options, "from") === undefined
      ? await audioOfStream(idOrName, api)
      : await audioOfPeriod(idOrName, options, api);
  const { signal } = context;
  const sink = new PlayerSink({ seekSeconds, signal }, (player) => terminal.note(`playing with ${player}`));
  try {
    for await (const bytes of audio) if (!(await sink.write(bytes))) break;
    await sink.finish();
  } finally {
    await sink.close();
  }
}

async function audioOfStream(idOrName: string, api: ApiOptions): Promise<AsyncIterable<Uint8Array>> {
  const stream = await getStream(idOrName, api);
  const audio = stream === undefined ? undefined : await streamAudio(stream.streamId, api);
  if (audio === undefined) throw noSuchStream(idOrName);
  return audio;
}

async function audioOfPeriod(
  device: string,
  options: Options,
  api: ApiOptions,
): Promise<AsyncIterable<Uint8Array>> {
  const audio = await periodAudio(periodOption(options, device), api);
  if (audio === undefined) throw noAudioOf(device);
  return audio;
}
