/**
 * The socket for commands on the store of this server (store/catalog-reader.ts). It lies in the cache folder, so that
 * whoever owns the folder may read the catalog and change tokens, and nobody else.
 */
import * as fs from "node:fs";
import { systemCode, toWavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import {
  type CommandCall,
  type CommandCatalog,
  diagnosisPath,
  readCalls,
  type TokenCall,
  tokenCalls,
} from "../../store/catalog-reader.ts";
import type { KeeperArgs } from "../../store/keeper-calls.ts";
import { removeFile } from "../../store/layout.ts";

export interface AdminSettings {
  /** Of the socket. */
  path: string;
  catalog: CommandCatalog;
  /** A command has changed the token with this id. */
  onTokenChanged: (id: string) => Promise<void>;
  /** Texts about the server, by file name. */
  diagnose: () => Promise<Record<string, string>>;
  log: Log;
}

export class AdminGateway {
  readonly #server: Bun.Server<undefined>;

  /**
   * Undefined, with a warning, where the system refuses the socket: its path may be too long. The caller must hold the
   * lock of the folder, since a socket that an earlier server left is replaced.
   */
  static open(settings: AdminSettings): AdminGateway | undefined {
    const { path, log } = settings;
    if (process.platform === "win32") return undefined;
    try {
      removeFile(path);
      const gateway = new AdminGateway(settings);
      fs.chmodSync(path, 0o600);
      return gateway;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      log.warn("no backup of this server while it runs", { path, reason: systemCode(error) });
      return undefined;
    }
  }

  private constructor(settings: AdminSettings) {
    this.#server = Bun.serve({ unix: settings.path, fetch: (request) => answer(settings, request) });
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }
}

const calls: readonly CommandCall[] = [...readCalls, ...tokenCalls];

async function answer(settings: AdminSettings, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === diagnosisPath) return Response.json(await settings.diagnose());
  return await answerCall(settings, pathname.replace("/calls/", ""), request);
}

async function answerCall(
  { catalog, onTokenChanged }: AdminSettings,
  name: string,
  request: Request,
): Promise<Response> {
  const call = calls.find((each) => each === name);
  if (call === undefined || request.method !== "POST") return new Response("no such call", { status: 404 });
  try {
    const args = (await request.json()) as KeeperArgs<CommandCall>;
    const result = await catalog.call(call, args);
    if (changesTokens(call)) await onTokenChanged((args as KeeperArgs<TokenCall>).id);
    return Response.json(result);
  } catch (error) {
    return new Response(toWavecacheError(error).message, { status: 500 });
  }
}

function changesTokens(call: CommandCall): boolean {
  return (tokenCalls as readonly CommandCall[]).includes(call);
}
