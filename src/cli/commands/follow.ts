/** `follow ID`: a stream as it is written, or a recording as it is made, to standard output. */
import type { CAC } from "cac";
import { connectWith } from "../../client/v1/client.ts";
import type { StreamReader } from "../../client/v1/read/stream-reader.ts";
import { countOption, flagOption, type Options, requiredText, textOption } from "../kit/arguments.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { humanBytes } from "../kit/text.ts";
import { connectSettings, type Context, retryOf, retryText, serverOption } from "../streams/transfers.ts";

export function registerFollow(cli: CAC, context: Context): void {
  const command = cli
    .command("follow <id>", "Write a stream to standard output while it is uploaded (protocol v1)")
    .option("--from <byte>", "Offset of the first byte, or now for what comes from now on", { default: "0" })
    .option("--recording", "The id is a device that is recorded: its samples, from now on")
    .option("--retries <count>", "Reconnections without progress before giving up (default: 30)");
  serverOption(command)
    .example("  $ bun run client follow live.ogg | ffplay -nodisp -")
    .example("  $ bun run client follow kitchen --recording | aplay -f S16_LE -r 16000")
    .action((id: string, options: Options) => follow(id, options, context));
}

async function follow(id: string, options: Options, context: Context): Promise<void> {
  const { terminal } = context;
  if (terminal.printsToScreen)
    throw usageError("standard output is a terminal", "pipe it into a player or a file");
  const from = fromOf(options);
  const client = await connectWith(requiredText(options, "server"), {
    ...connectSettings(options, context),
    retry: retryOf(options),
    onEvent: (event) => {
      if (event.type === "lost") terminal.note(`reconnecting: ${event.error.message}`);
      else if (event.type === "retrying") terminal.note(retryText(event));
    },
  });
  try {
    const recording = flagOption(options, "recording");
    await pass(client.follow(recording ? { recording: id } : id, { from, signal: context.signal }), context);
  } finally {
    client.close();
  }
}

function fromOf(options: Options): number | "now" {
  if (textOption(options, "from") === "now") return "now";
  return countOption(options, "from", 0, Number.MAX_SAFE_INTEGER);
}

async function pass(reading: StreamReader, { terminal }: Context): Promise<void> {
  const iterator = reading[Symbol.asyncIterator]();
  const { format } = (await reading.opened).metadata;
  if (format !== undefined) {
    terminal.note(`${format.codec}, ${format.sampleRate} Hz, ${format.channels} channels`);
  }
  for await (const bytes of iterator) await terminal.write(bytes);
  const { outcome, received, skipped } = await reading.result;
  const left = skipped === 0 ? "" : `, ${humanBytes(skipped)} left out`;
  terminal.note(`${outcome}: ${humanBytes(received)}${left}`);
  if (outcome === "finished" || outcome === "ended") return;
  throw new CliError(
    `the stream is ${outcome}`,
    "nobody writes it any more; follow it again when somebody does",
  );
}
