/** The stream list of a server: over protocol v1 if the server speaks it, otherwise over the HTTP API. */
import { maxListedOnChannel } from "../../base/limits/v1.ts";
import { ClientError } from "../../client/errors.ts";
import { negotiate } from "../../client/negotiate.ts";
import {
  getStream,
  listStreams,
  removeStream,
  type ListedStream,
  type ListedStreamPage,
  type StreamFilter,
  type StreamState,
} from "../../client/http/streams.ts";
import type { Client } from "../../client/v1/client.ts";
import type { StreamInfo as V1StreamInfo } from "../../wire/v1/messages.ts";
import { apiSettings, connectSettings, protocolOf, serverOf } from "../connect/server-options.ts";
import { fileNameOf } from "../../store/streams/metadata.ts";
import type { Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError } from "../kit/failures.ts";

/** The last time that a Date can represent (ECMA-262, time values). */
const maxTimeMs = 8.64e15;

export interface StreamQuery {
  state: StreamState | undefined;
  limit: number;
  after: string | undefined;
  /** Only over HTTP. */
  filter?: StreamFilter;
}

export interface Catalog {
  /** Returns one page, which may be shorter than the limit although a next page exists. */
  list(query: StreamQuery): Promise<ListedStreamPage>;
  /** Undefined if the stream does not exist. */
  info(streamId: string): Promise<ListedStream | undefined>;
  /** False if the stream does not exist. */
  remove(streamId: string): Promise<boolean>;
}

export function noSuchStream(streamId: string): CliError {
  return new CliError(`no such stream: ${streamId}`, "the command list shows which there are");
}

/** Opens the catalog, runs the command, and closes the connection. */
export async function withCatalog(
  options: Options,
  context: Context,
  command: (catalog: Catalog) => Promise<void>,
): Promise<void> {
  const client = await connectV1(options, context);
  try {
    await command(client === undefined ? httpCatalog(options, context) : v1Catalog(client, context));
  } finally {
    client?.close();
  }
}

/** Undefined if the catalog has to use HTTP. */
async function connectV1(options: Options, context: Context): Promise<Client | undefined> {
  const choice = protocolOf(options);
  const settings = { ...connectSettings(options, context), retry: { retries: 0 } };
  try {
    const agreement = await negotiate(choice, serverOf(options), settings);
    if (agreement.protocol === "v1") return agreement.client;
    agreement.connection?.close();
  } catch (error) {
    // The HTTP API may work without the WebSocket. If it fails too, its error is the one to report.
    if (choice === "v1" || !(error instanceof ClientError)) throw error;
  }
  return undefined;
}

/** Protocol v1 neither searches nor knows all of a stream. */
export function httpCatalog(options: Options, context: Context): Catalog {
  const api = apiSettings(options, context);
  return {
    list: ({ filter, ...query }) => listStreams({ ...api, ...filter, ...query }),
    info: (streamId) => getStream(streamId, api),
    remove: (streamId) => removeStream(streamId, api),
  };
}

function v1Catalog(client: Client, { signal }: Context): Catalog {
  return {
    list: async ({ state, limit, after }) => {
      const page = await client.list({
        filter: state,
        limit: Math.min(limit, maxListedOnChannel),
        after,
        signal,
      });
      return { streams: page.streams.map(streamInfoOf), next: page.next ?? null };
    },
    info: async (streamId) => {
      const info = await client.info(streamId, signal);
      return info === undefined ? undefined : streamInfoOf(info);
    },
    remove: (streamId) => client.remove(streamId, signal),
  };
}

/** Converts to the form of the HTTP API, which the commands print. */
export function streamInfoOf(info: V1StreamInfo): ListedStream {
  const { streamId, state, size, sha256, createdAt, finishedAt, metadata } = info;
  return {
    streamId,
    state,
    size,
    sha256: sha256 ?? null,
    format: metadata.contentType ?? null,
    title: metadata.tags["title"] ?? null,
    name: fileNameOf(metadata) ?? null,
    metadata: { contentType: metadata.contentType ?? null, tags: metadata.tags },
    createdAt: isoTime(createdAt),
    finishedAt: finishedAt === undefined ? null : isoTime(finishedAt),
  };
}

/** Clamps, because a server may send a time that `toISOString` would throw on. */
function isoTime(ms: number): string {
  return new Date(Math.min(ms, maxTimeMs)).toISOString();
}
