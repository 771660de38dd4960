/** `list`: shows the streams of a server. */
import type { CAC } from "cac";
import { type ListedStream, type StreamFilter, streamOrders } from "../../client/http/streams.ts";
import { protocolOption, serverOption } from "../connect/server-options.ts";
import { choiceOption, type Options, textOption, textOptions } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { listingOptions, printListing } from "../kit/listing.ts";
import { usageError } from "../kit/failures.ts";
import { humanBytes, humanTime, shellWord, table } from "../kit/text.ts";
import { type Catalog, httpCatalog, withCatalog } from "../streams/catalog.ts";

const noun = "streams";
const shownDigestChars = 12;

export function registerList(cli: CAC, context: Context): void {
  const command = cli
    .command("list [...words]", "List the streams of a server, or search them")
    .option("--state <state>", "Show only finished or only unfinished streams")
    .option("--tag <key=value>", "Show only streams with this tag; may be repeated")
    .option("--type <type>", "Show only streams of this MIME type")
    .option("--sort <order>", "id, created, title, size or duration; with a minus in front it descends");
  protocolOption(serverOption(listingOptions(command, noun, "id")))
    .example("  $ bun run client list")
    .example("  $ bun run client list --state unfinished --json")
    .example("  $ bun run client list goldberg vari --sort=-created --tag artist=Bach")
    .action((words: string[], options: Options) => list(words, options, context));
}

async function list(words: readonly string[], options: Options, context: Context): Promise<void> {
  const state = choiceOption(options, "state", ["finished", "unfinished"]);
  const filter = filterOf(words, options);
  const print = async (catalog: Catalog) => {
    const fetchPage = async (limit: number, after: string | undefined) => {
      const { streams, next } = await catalog.list({ state, limit, after, filter });
      return { items: streams, next };
    };
    await printListing({ noun, fetchPage, tableOf, cursorText: shellWord }, options, context.terminal);
  };
  if (Object.keys(filter).length === 0) await withCatalog(options, context, print);
  else await print(httpCatalog(options, context));
}

function filterOf(words: readonly string[], options: Options): StreamFilter {
  const type = textOption(options, "type");
  const sort = choiceOption(options, "sort", streamOrders);
  const tags = Object.fromEntries(textOptions(options, "tag").map(tagOf));
  return {
    ...(words.length > 0 && { text: words.join(" ") }),
    ...(Object.keys(tags).length > 0 && { tags }),
    ...(type !== undefined && { type }),
    ...(sort !== undefined && { sort }),
  };
}

function tagOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--tag ${text} has no value`, "write it as --tag KEY=VALUE");
  return [text.slice(0, at), text.slice(at + 1)];
}

function tableOf(streams: readonly ListedStream[]): string[] {
  const head = ["ID", "STATE", "SIZE", "FORMAT", "CREATED", "SHA-256", "NAME"];
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
    stream.title ?? stream.name ?? "-",
  ];
}
