/** `listen DEVICE`: what a device says now, into a file or to standard output. */
import type { CAC } from "cac";
import { LiveWav } from "../../client/http/live-wav.ts";
import { countOption, type Options, textOption } from "../kit/arguments.ts";
import { usageError } from "../kit/failures.ts";
import { defaultOutput, OutputFile } from "../kit/files.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";
import { apiSettings, type Context, serverOption } from "../streams/transfers.ts";

const maxSeconds = 7 * 24 * 3600;

export function registerListen(cli: CAC, context: Context): void {
  const command = cli
    .command("listen <device>", "Listen to a device (hardware id or stream id) while it is recorded")
    .option("-o, --output <file>", "File to write, or - for standard output (default: audio/output/...wav)")
    .option("--seconds <count>", "Seconds of audio after which to end (default: when the recording ends)");
  serverOption(command)
    .example("  $ bun run client listen kitchen -o kitchen.wav --seconds 60")
    .example("  $ bun run client listen 1 --output - | ffplay -nodisp -")
    .action((device: string, options: Options) => listen(device, options, context));
}

async function listen(device: string, options: Options, context: Context): Promise<void> {
  const seconds =
    textOption(options, "seconds") === undefined ? Infinity : countOption(options, "seconds", 1, maxSeconds);
  const path = textOption(options, "output") ?? defaultOutput(`${device}.wav`);
  if (path === "-" && context.terminal.printsToScreen) {
    const hint = "pipe it into a player, or give a file with --output FILE";
    throw usageError("standard output is a terminal", hint);
  }
  const live = await LiveWav.open({ ...apiSettings(options, context), device });
  const { sampleRate, frameBytes } = live.format;
  const wantedBytes = seconds * sampleRate * frameBytes;
  if (path === "-") await pass(live, wantedBytes, context);
  else await record(live, wantedBytes, path, context);
}

async function pass(live: LiveWav, wantedBytes: number, { terminal }: Context): Promise<void> {
  await terminal.write(live.head);
  for await (const bytes of upTo(wantedBytes, live.audio())) await terminal.write(bytes);
}

/** Writes a file that is whole in the end, however the listening ends. */
async function record(live: LiveWav, wantedBytes: number, path: string, context: Context): Promise<void> {
  const { terminal } = context;
  const output = await OutputFile.create(path);
  const progress = terminal.progress("listening", wantedBytes === Infinity ? undefined : wantedBytes);
  let heardBytes = 0;
  try {
    output.write(live.head);
    for await (const bytes of upTo(wantedBytes, live.audio())) {
      output.write(bytes);
      heardBytes += bytes.length;
      progress.update(heardBytes);
    }
  } finally {
    progress.end();
    if (heardBytes > 0) {
      output.rewrite(0, live.sizedHead(heardBytes));
      await output.commit();
      for (const line of report(live, heardBytes, path)) terminal.print(line);
    }
    await output.discard();
  }
}

async function* upTo(
  bytes: number,
  audio: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let rest = bytes;
  for await (const piece of audio) {
    yield piece.length > rest ? piece.subarray(0, rest) : piece;
    rest -= piece.length;
    if (rest <= 0) return;
  }
}

function report({ format }: LiveWav, bytes: number, path: string): string[] {
  const ms = (bytes * 1000) / (format.sampleRate * format.frameBytes);
  return table([
    ["Heard", `${humanDuration(ms)}, ${humanBytes(bytes)}`],
    [
      "Format",
      `${format.sampleRate} Hz, ${format.channels} ${format.channels === 1 ? "channel" : "channels"}`,
    ],
    ["Output", path],
  ]);
}
