/** The list of streams of a server, over protocol v1 where it speaks it, over HTTP elsewhere. */
import { maxListedOnChannel } from "../../base/limits/v1.ts";
import { ClientError } from "../../client/errors.ts";
import { negotiate } from "../../client/negotiate.ts";
import {
  getStream,
  listStreams,
  removeStream,
  type ListedStream,
  type ListedStreamPage,
  type StreamState,
} from "../../client/http/streams.ts";
import type { Client } from "../../client/v1/client.ts";
import type { StreamInfo as V1StreamInfo } from "../../wire/v1/messages.ts";
import { type Options, requiredText } from "../kit/arguments.ts";
import { apiSettings, connectSettings, type Context, protocolOf } from "./transfers.ts";

/** ECMAScript counts no further. */
const lastTimeMs = 8.64e15;

export interface Asked {
  state: StreamState | undefined;
  limit: number;
  after: string | undefined;
}

export interface Catalog {
  /** One page; it may have fewer streams than asked for and name a next one. */
  list(asked: Asked): Promise<ListedStreamPage>;
  info(streamId: string): Promise<ListedStream | undefined>;
  /** False if there is no such stream. */
  remove(streamId: string): Promise<boolean>;
}

/** Gives a command the catalog, for as long as it runs. */
export async function withCatalog(
  options: Options,
  context: Context,
  command: (catalog: Catalog) => Promise<void>,
): Promise<void> {
  const client = await clientFor(options, context);
  try {
    await command(client === undefined ? overHttp(options, context) : overStreams(client, context));
  } finally {
    client?.close();
  }
}

/** Undefined where the list is to be had over HTTP. */
async function clientFor(options: Options, context: Context): Promise<Client | undefined> {
  const choice = protocolOf(options);
  const settings = { ...connectSettings(options, context), retry: { retries: 0 } };
  try {
    const agreement = await negotiate(choice, requiredText(options, "server"), settings);
    if (agreement.protocol === "v1") return agreement.client;
    agreement.connection?.close();
  } catch (error) {
    // The list may be there though the WebSocket is not; if it is not either, that is what to say.
    if (choice === "v1" || !(error instanceof ClientError)) throw error;
  }
  return undefined;
}

function overHttp(options: Options, context: Context): Catalog {
  const api = apiSettings(options, context);
  return {
    list: (asked) => listStreams({ ...api, ...asked }),
    info: (streamId) => getStream(streamId, api),
    remove: (streamId) => removeStream(streamId, api),
  };
}

function overStreams(client: Client, { signal }: Context): Catalog {
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

/** As HTTP says it. */
export function streamInfoOf(info: V1StreamInfo): ListedStream {
  const { streamId, state, size, sha256, createdAt, finishedAt, metadata } = info;
  return {
    streamId,
    state,
    size,
    sha256: sha256 ?? null,
    format: metadata.contentType ?? null,
    createdAt: isoTime(createdAt),
    finishedAt: finishedAt === undefined ? null : isoTime(finishedAt),
  };
}

/** Milliseconds may name a time that no calendar has. */
function isoTime(ms: number): string {
  return new Date(Math.min(ms, lastTimeMs)).toISOString();
}
