/**
 * The catalog from outside of the keeper: commands read it, and change tokens. One connection locks the catalog's file,
 * so a command that works on the folder of a running server asks that server, over a socket in the folder. Otherwise it
 * opens the catalog itself.
 *
 *     POST /calls/<call>    the arguments of a keeper call as JSON; 200 with its result, or another status with a text
 *     GET /diagnosis        texts about the server, by the names of the files that they become in a bundle
 */
import { systemCode, WavecacheError } from "../base/errors.ts";
import type { KeeperArgs, KeeperResult } from "./keeper-calls.ts";
import type { CacheLayout } from "./layout.ts";
import type { DeviceCatalog } from "./devices/catalog.ts";
import type { RecordingCatalog } from "./recordings/catalog.ts";
import type { Catalog } from "./streams/catalog.ts";
import type { TokenCatalog } from "./tokens/catalog.ts";
import type { RetentionCatalog } from "./retention/catalog.ts";
import { saveToken } from "./tokens/save.ts";

export const readCalls = [
  "find",
  "list",
  "recordingsAfter",
  "listDevices",
  "listTokens",
  "pinnedRanges",
  "totals",
  "archiveItemsAfter",
] as const;
/** The keeper's calls that only read. */
export type ReadCall = (typeof readCalls)[number];

export const tokenCalls = ["saveToken", "revokeToken"] as const;
/** The keeper's calls that change tokens. */
export type TokenCall = (typeof tokenCalls)[number];

/** What commands may call. */
export type CommandCall = ReadCall | TokenCall;

export interface CatalogReader {
  /** Rejects with an error of the table. */
  call<C extends ReadCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>>;
}

export interface CommandCatalog {
  /** Rejects with an error of the table. */
  call<C extends CommandCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>>;
}

/** The path on the socket at which a server describes itself. */
export const diagnosisPath = "/diagnosis";

/** Asks the server that has the folder open. */
export function readFromServer({ admin }: CacheLayout): CommandCatalog {
  return {
    async call<C extends CommandCall>(call: C, args: KeeperArgs<C>) {
      const url = `http://server/calls/${call}`;
      const response = await send(url, { unix: admin, method: "POST", body: JSON.stringify(args) });
      if (response.status !== 200) throw new WavecacheError("STORE_FAILED", await response.text());
      return (await response.json()) as KeeperResult<C>;
    },
  };
}

/** A server that starts holds the lock before it has the socket. */
const startLimitMs = 5_000;
const retryMs = 100;

async function send(url: string, options: BunFetchRequestInit): Promise<Response> {
  const deadline = performance.now() + startLimitMs;
  for (;;) {
    try {
      return await fetch(url, options);
    } catch (error) {
      const reason = systemCode(error) ?? String(error);
      if (performance.now() < deadline) await Bun.sleep(retryMs);
      else
        throw new WavecacheError("STORE_IN_USE", `its server does not answer on ${options.unix} (${reason})`);
    }
  }
}

type OpenCatalog = Catalog & {
  recordings: RecordingCatalog;
  devices: DeviceCatalog;
  tokens: TokenCatalog;
  retention: RetentionCatalog;
};

/** Uses a catalog that this process has open. */
export function readFromCatalog(catalog: OpenCatalog): CommandCatalog {
  const calls: { [C in CommandCall]: (args: KeeperArgs<C>) => KeeperResult<C> } = {
    find: ({ streamId }) => catalog.find(streamId) ?? null,
    list: (query) => catalog.list(query),
    recordingsAfter: ({ id, limit }) => catalog.recordings.after(id, limit),
    listDevices: () => catalog.devices.all(),
    listTokens: () => catalog.tokens.all(),
    pinnedRanges: () => catalog.retention.pinnedRanges(),
    totals: () => catalog.totals(),
    archiveItemsAfter: ({ sha256, limit }) => catalog.archive.after(sha256, limit),
    saveToken: (token) => catalog.transaction(() => saveToken(catalog.tokens, token), true),
    revokeToken: ({ id, at }) => catalog.transaction(() => catalog.tokens.revoke(id, at), true),
  };
  return { call: async (call, args) => calls[call](args) };
}
