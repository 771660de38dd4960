/** `listen DEVICE`: writes the live audio of a device to a file or to stdout. */
import type { CAC } from "cac";
import { LiveWav } from "../../client/http/live-wav.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { countOption, flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { defaultOutput } from "../kit/files.ts";
import { OutputFile } from "../kit/output-file.ts";
import { type CommandResult, printResult } from "../kit/results.ts";
import { humanBytes, humanDuration, plural, table } from "../kit/text.ts";

const maxSeconds = 7 * 24 * 3600;

export function registerListen(cli: CAC, context: Context): void {
  const command = cli
    .command("listen <device>", "Listen to a device (hardware id or stream id) while it is recorded")
    .option(
      "-o, --output <file>",
      "Output file, or - for standard output (default: audio/output/output-{time}-{device}.wav)",
    )
    .option("--seconds <count>", "Stop after this many seconds of audio (default: when the recording ends)");
  jsonOption(serverOption(command))
    .example("  $ bun run client listen kitchen -o kitchen.wav --seconds 60")
    .example("  $ bun run client listen 1 --output - | ffplay -nodisp -")
    .action((device: string, options: Options) => listen(device, options, context));
}

async function listen(device: string, options: Options, context: Context): Promise<void> {
  const seconds =
    textOption(options, "seconds") === undefined ? Infinity : countOption(options, "seconds", 1, maxSeconds);
  const path = textOption(options, "output") ?? defaultOutput(`${device}.wav`);
  if (path === "-")
    context.terminal.giveStdoutToAudio("pipe it into a player, or give a file with --output FILE");
  const live = await LiveWav.open({ ...apiSettings(options, context), device });
  const { sampleRate, frameBytes } = live.format;
  const maxBytes = seconds * sampleRate * frameBytes;
  if (path === "-") await writeToStdout(live, maxBytes, options, context);
  else await writeToFile(live, maxBytes, path, options, context);
}

async function writeToStdout(
  live: LiveWav,
  maxBytes: number,
  options: Options,
  { terminal }: Context,
): Promise<void> {
  let heardBytes = 0;
  await terminal.write(live.head);
  for await (const bytes of upTo(maxBytes, live.audio())) {
    await terminal.write(bytes);
    heardBytes += bytes.length;
  }
  if (flagOption(options, "json")) printResult(options, terminal, report(live, heardBytes, "-"));
}

/** Writes a WAV file with correct sizes, also if an error or a signal ends the audio. */
async function writeToFile(
  live: LiveWav,
  maxBytes: number,
  path: string,
  options: Options,
  context: Context,
): Promise<void> {
  const { terminal } = context;
  const output = await OutputFile.create(path);
  const progress = terminal.progress("listening", maxBytes === Infinity ? undefined : maxBytes);
  let heardBytes = 0;
  try {
    output.write(live.head);
    for await (const bytes of upTo(maxBytes, live.audio())) {
      output.write(bytes);
      heardBytes += bytes.length;
      progress.update(heardBytes);
    }
  } finally {
    progress.end();
    if (heardBytes > 0) {
      output.rewrite(0, live.sizedHead(heardBytes));
      await output.commit();
      printResult(options, terminal, report(live, heardBytes, path));
    }
    await output.discard();
  }
}

/** Cuts the audio off after `maxBytes`. */
async function* upTo(
  maxBytes: number,
  audio: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let leftBytes = maxBytes;
  for await (const piece of audio) {
    yield piece.length > leftBytes ? piece.subarray(0, leftBytes) : piece;
    leftBytes -= piece.length;
    if (leftBytes <= 0) return;
  }
}

function report({ format }: LiveWav, bytes: number, path: string): CommandResult {
  const { sampleRate, channels, frameBytes } = format;
  const ms = (bytes * 1000) / (sampleRate * frameBytes);
  const lines = table([
    ["Heard", `${humanDuration(ms)}, ${humanBytes(bytes)}`],
    ["Format", `${sampleRate} Hz, ${channels} ${plural(channels, "channel")}`],
    ["Output", path],
  ]);
  return { json: { audioMs: Math.round(ms), bytes, sampleRate, channels, output: path }, lines };
}
