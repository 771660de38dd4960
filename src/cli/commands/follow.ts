/** `follow ID`: writes a stream to stdout while it is uploaded, or a recording while it is recorded. */
import type { CAC } from "cac";
import { connectWith } from "../../client/v1/client.ts";
import type { StreamReader } from "../../client/v1/read/stream-reader.ts";
import { connectSettings, retryOf, retryText, serverOf, serverOption } from "../connect/server-options.ts";
import { countOption, flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { PartialFailure } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import { humanBytes } from "../kit/text.ts";

export function registerFollow(cli: CAC, context: Context): void {
  const command = cli
    .command("follow <id>", "Write a stream to standard output while it is uploaded (protocol v1)")
    .option("--from <byte>", "Offset of the first byte, or now to skip what exists already", { default: "0" })
    .option("--recording", "The id is a recorded device: write its samples from now on")
    .option("--retries <count>", "Reconnections without progress before giving up (default: 30)");
  jsonOption(serverOption(command))
    .example("  $ bun run client follow live.ogg | ffplay -nodisp -")
    .example("  $ bun run client follow kitchen --recording | aplay -f S16_LE -r 16000")
    .action((id: string, options: Options) => follow(id, options, context));
}

async function follow(id: string, options: Options, context: Context): Promise<void> {
  const { terminal } = context;
  terminal.giveStdoutToAudio("pipe it into a player or a file");
  const from = fromOf(options);
  const client = await connectWith(serverOf(options), {
    ...connectSettings(options, context),
    retry: retryOf(options),
    onEvent: (event) => {
      if (event.type === "lost") terminal.note(`reconnecting: ${event.error.message}`);
      else if (event.type === "retrying") terminal.note(retryText(event));
    },
  });
  try {
    const target = flagOption(options, "recording") ? { recording: id } : id;
    await writeAll(client.follow(target, { from, signal: context.signal }), options, context);
  } finally {
    client.close();
  }
}

function fromOf(options: Options): number | "now" {
  if (textOption(options, "from") === "now") return "now";
  return countOption(options, "from", 0, Number.MAX_SAFE_INTEGER);
}

async function writeAll(reader: StreamReader, options: Options, { terminal }: Context): Promise<void> {
  const iterator = reader[Symbol.asyncIterator]();
  const { format } = (await reader.opened).metadata;
  if (format !== undefined) {
    terminal.note(`${format.codec}, ${format.sampleRate} Hz, ${format.channels} channels`);
  }
  for await (const bytes of iterator) await terminal.write(bytes);
  const { outcome, received, skipped } = await reader.result;
  const line = `${outcome}: ${humanBytes(received)}${skipped === 0 ? "" : `, ${humanBytes(skipped)} skipped`}`;
  printResult(options, terminal, { json: { outcome, received, skipped }, lines: [line] });
  if (outcome === "finished" || outcome === "ended") return;
  throw new PartialFailure(
    `the stream is ${outcome}`,
    "its upload stopped; follow it again when the upload resumes",
  );
}
