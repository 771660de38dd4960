/** `list`: shows the streams of a server. */
import type { CAC } from "cac";
import type { ListedStream } from "../../client/http/streams.ts";
import { protocolOption, serverOption } from "../connect/server-options.ts";
import { choiceOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { listingOptions, printListing } from "../kit/listing.ts";
import { humanBytes, humanTime, table } from "../kit/text.ts";
import { withCatalog } from "../streams/catalog.ts";

const noun = "streams";
const shownDigestChars = 12;

export function registerList(cli: CAC, context: Context): void {
  const command = cli
    .command("list", "List the streams of a server")
    .option("--state <state>", "Show only finished or only unfinished streams");
  protocolOption(serverOption(listingOptions(command, noun, "id")))
    .example("  $ bun run client list")
    .example("  $ bun run client list --state unfinished --json")
    .action((options: Options) => list(options, context));
}

async function list(options: Options, context: Context): Promise<void> {
  const state = choiceOption(options, "state", ["finished", "unfinished"]);
  await withCatalog(options, context, async (catalog) => {
    const fetchPage = async (limit: number, after: string | undefined) => {
      const { streams, next } = await catalog.list({ state, limit, after });
      return { items: streams, next };
    };
    await printListing({ noun, fetchPage, tableOf, cursorText: (id) => id }, options, context.terminal);
  });
}

function tableOf(streams: readonly ListedStream[]): string[] {
  const head = ["ID", "STATE", "SIZE", "FORMAT", "CREATED", "SHA-256"];
  return table([head, ...streams.map(row)], [2]);
}

function row(stream: ListedStream): string[] {
  return [
    stream.streamId,
    stream.state,
    humanBytes(stream.size),
    stream.format ?? "-",
    humanTime(stream.createdAt),
    stream.sha256?.slice(0, shownDigestChars) ?? "-",
  ];
}
