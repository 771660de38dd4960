/** `info ID`: shows the metadata of one stream. */
import type { CAC } from "cac";
import type { ListedStream } from "../../client/http/streams.ts";
import { protocolOption, serverOption } from "../connect/server-options.ts";
import { flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { humanBytes, humanTime, safeJson, table } from "../kit/text.ts";
import { noSuchStream, withCatalog } from "../streams/catalog.ts";

export function registerInfo(cli: CAC, context: Context): void {
  jsonOption(protocolOption(serverOption(cli.command("info <id>", "Show the metadata of a stream"))))
    .example("  $ bun run client info my-song")
    .action((id: string, options: Options) => info(id, options, context));
}

async function info(id: string, options: Options, context: Context): Promise<void> {
  await withCatalog(options, context, async (catalog) => {
    const stream = await catalog.info(id);
    if (stream === undefined) throw noSuchStream(id);
    context.terminal.printAll(flagOption(options, "json") ? [safeJson(stream)] : details(stream));
  });
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
