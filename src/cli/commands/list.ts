/** `list`: the streams of a server. */
import type { CAC } from "cac";
import type { ListedStream, ListedStreamPage } from "../../client/http/streams.ts";
import { choiceOption, countOption, flagOption, type Options, textOption } from "../kit/arguments.ts";
import { type Catalog, withCatalog } from "../streams/catalog.ts";
import { humanBytes, humanTime, safeJson, table } from "../kit/text.ts";
import { type Context, jsonOption, protocolOption, serverOption } from "../streams/transfers.ts";

const defaultLimit = "100";
const maxLimit = 1_000_000;
/** Streams asked for at once; the server may give fewer. */
const pageStreams = 500;
const shownDigestChars = 12;

export function registerList(cli: CAC, context: Context): void {
  const command = cli
    .command("list", "List the streams of a server")
    .option("--state <state>", "Only these: finished or unfinished")
    .option("--limit <count>", "Streams to show at most", { default: defaultLimit })
    .option("--after <id>", "Begin behind this stream");
  jsonOption(protocolOption(serverOption(command)))
    .example("  $ bun run client list")
    .example("  $ bun run client list --state unfinished --json")
    .action((options: Options) => list(options, context));
}

async function list(options: Options, context: Context): Promise<void> {
  await withCatalog(options, context, async (catalog) =>
    show(await collect(catalog, options), options, context),
  );
}

function show(page: ListedStreamPage, options: Options, context: Context): void {
  if (flagOption(options, "json")) {
    context.terminal.print(safeJson(page));
    return;
  }
  for (const line of lines(page.streams)) context.terminal.print(line);
  if (page.next !== null) context.terminal.note(`there are more: go on with --after ${page.next}`);
}

/** Pages until the limit is reached or the list ends. */
async function collect(catalog: Catalog, options: Options): Promise<ListedStreamPage> {
  const state = choiceOption(options, "state", ["finished", "unfinished"]);
  const limit = countOption(options, "limit", 1, maxLimit);
  const streams: ListedStream[] = [];
  let after = textOption(options, "after");
  while (streams.length < limit) {
    const ask = Math.min(limit - streams.length, pageStreams);
    const page = await catalog.list({ state, limit: ask, after });
    streams.push(...page.streams);
    // A page without streams that names a next one would be asked for again for ever.
    if (page.next === null || page.streams.length === 0) return { streams, next: null };
    after = page.next;
  }
  return { streams, next: after ?? null };
}

function lines(streams: readonly ListedStream[]): string[] {
  if (streams.length === 0) return ["no streams"];
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
