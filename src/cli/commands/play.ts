/** `play ID`: plays a stream while it arrives. */
import type { CAC } from "cac";
import { getStream } from "../../client/http/streams.ts";
import { streamAudio } from "../../client/http/stream-audio.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import type { Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { refuseWithoutPlayer } from "../playback/player.ts";
import { seekOption } from "../playback/seek.ts";
import { PlayerSink } from "../playback/song-sinks.ts";
import { noSuchStream } from "../streams/catalog.ts";

export function registerPlay(cli: CAC, context: Context): void {
  const command = cli
    .command("play <id>", "Play a stream by its id or name, with ffplay, mpv or another installed player")
    .option("--seek <time>", "Start playing at this position: seconds, MM:SS or HH:MM:SS");
  serverOption(command)
    .example("  $ bun run client play my-song")
    .example("  $ bun run client play song.mp3 --seek 1:30")
    .action((id: string, options: Options) => play(id, options, context));
}

async function play(idOrName: string, options: Options, { terminal, ...context }: Context): Promise<void> {
  const seekSeconds = seekOption(options);
  refuseWithoutPlayer();
  const api = apiSettings(options, { terminal, ...context });
  const stream = await getStream(idOrName, api);
  const audio = stream === undefined ? undefined : await streamAudio(stream.streamId, api);
  if (stream === undefined || audio === undefined) throw noSuchStream(idOrName);
  const { signal } = context;
  const sink = new PlayerSink({ seekSeconds, signal }, (player) => terminal.note(`playing with ${player}`));
  try {
    for await (const bytes of audio) if (!(await sink.write(bytes))) break;
    await sink.finish();
  } finally {
    await sink.close();
  }
}
