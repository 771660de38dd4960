/** Connects for uploads and downloads and negotiates the protocol. */
import { negotiate } from "../../client/negotiate.ts";
import { connectSettings, protocolOf, retryOf } from "../connect/server-options.ts";
import type { Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { ConnectionNotices } from "./connection-notices.ts";
import { LegacyTransferSession } from "./legacy-session.ts";
import { legacyOptionsOf, transferSettings } from "./transfer-options.ts";
import type { TransferSession } from "./transfer-session.ts";
import { V1TransferSession } from "./v1-session.ts";

/** Checks all options before it connects; `url` overrides --server. */
export async function openTransferSession(
  options: Options,
  context: Context,
  url?: string,
): Promise<TransferSession> {
  const settings = transferSettings(options, context, url);
  const choice = protocolOf(options);
  const legacyOptions = legacyOptionsOf(options);
  const notices = new ConnectionNotices(options, context);
  const agreement = await negotiate(choice, settings.url, {
    ...connectSettings(options, context),
    retry: retryOf(options),
    onEvent: (event) => notices.add(event),
  });
  if (agreement.protocol === "v1") return new V1TransferSession(agreement.client, settings, notices);
  return new LegacyTransferSession(agreement.connection, { ...settings, ...legacyOptions }, options, context);
}
