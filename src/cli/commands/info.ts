/** `info ID`: shows the metadata of one stream. */
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import type { ListedStream } from "../../client/http/streams.ts";
import { protocolOf, protocolOption, serverOption } from "../connect/server-options.ts";
import { flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { humanBytes, humanDuration, humanTime, plural, safeJson, table } from "../kit/text.ts";
import { type Catalog, httpCatalog, noSuchStream, withCatalog } from "../streams/catalog.ts";

export function registerInfo(cli: CAC, context: Context): void {
  jsonOption(protocolOption(serverOption(cli.command("info <id>", "Show the metadata of a stream"))))
    .example("  $ bun run client info my-song")
    .action((id: string, options: Options) => info(id, options, context));
}

async function info(id: string, options: Options, context: Context): Promise<void> {
  const print = async (catalog: Catalog) => {
    const stream = await catalog.info(id);
    if (stream === undefined) throw noSuchStream(id);
    context.terminal.printAll(flagOption(options, "json") ? [safeJson(stream)] : details(stream));
  };
  if (protocolOf(options) !== "auto") return await withCatalog(options, context, print);
  try {
    await print(httpCatalog(options, context));
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== "NO_HTTP_API") throw error;
    await withCatalog(options, context, print);
  }
}

function details(stream: ListedStream): string[] {
  return table([
    ["Stream", stream.streamId],
    ["State", stream.state],
    ["Size", `${humanBytes(stream.size)} (${stream.size} bytes)`],
    ["SHA-256", stream.sha256 ?? "-"],
    ["Format", stream.format ?? "-"],
    ...audioRows(stream.audio),
    ["Name", stream.name ?? "-"],
    ...Object.entries(stream.metadata?.tags ?? {}).map(([key, value]) => [`Tag ${key}`, value]),
    ...(stream.damaged === true ? [["Damaged", "its audio is damaged on the server"]] : []),
    ["Created", humanTime(stream.createdAt)],
    ["Finished", stream.finishedAt === null ? "-" : humanTime(stream.finishedAt)],
  ]);
}

function audioRows(audio: ListedStream["audio"]): string[][] {
  if (audio === null || audio === undefined) return [];
  const { container, codec, duration, sampleRate, channels, bitRate } = audio;
  const parts = [
    codec ?? container,
    sampleRate === null ? null : `${sampleRate} Hz`,
    channels === null ? null : `${channels} ${plural(channels, "channel")}`,
    bitRate === null ? null : `${Math.round(bitRate / 1000)} kbit/s`,
  ].filter((part) => part !== null);
  return [
    ...(parts.length > 0 ? [["Audio", parts.join(", ")]] : []),
    ...(duration === null ? [] : [["Duration", humanDuration(duration * 1000)]]),
  ];
}
