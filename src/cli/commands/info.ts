/** `info ID`: what a server knows of one stream. */
import type { CAC } from "cac";
import type { ListedStream } from "../../client/http/streams.ts";
import { flagOption, type Options } from "../kit/arguments.ts";
import { withCatalog } from "../streams/catalog.ts";
import { CliError } from "../kit/failures.ts";
import { humanBytes, humanTime, safeJson, table } from "../kit/text.ts";
import { type Context, jsonOption, protocolOption, serverOption } from "../streams/transfers.ts";

export function registerInfo(cli: CAC, context: Context): void {
  jsonOption(protocolOption(serverOption(cli.command("info <id>", "Show what the server knows of a stream"))))
    .example("  $ bun run client info my-song")
    .action((id: string, options: Options) => info(id, options, context));
}

async function info(id: string, options: Options, context: Context): Promise<void> {
  await withCatalog(options, context, async (catalog) => show(id, await catalog.info(id), options, context));
}

function show(id: string, stream: ListedStream | undefined, options: Options, context: Context): void {
  if (stream === undefined) {
    throw new CliError(`no such stream: ${id}`, "the command list shows which there are");
  }
  const lines = flagOption(options, "json") ? [safeJson(stream)] : details(stream);
  for (const line of lines) context.terminal.print(line);
}

function details(stream: ListedStream): string[] {
  return table([
    ["Stream", stream.streamId],
    ["State", stream.state],
    ["Size", `${humanBytes(stream.size)} (${stream.size} bytes)`],
    ["SHA-256", stream.sha256 ?? "-"],
    ["Format", stream.format ?? "-"],
    ["Created", humanTime(stream.createdAt)],
    ["Finished", stream.finishedAt === null ? "-" : humanTime(stream.finishedAt)],
  ]);
}
