/** Who may do what, and the socket by which commands of this machine change that. */
import { ClosedMark } from "./access/closed-mark.ts";
import { Jwts } from "./access/jwt.ts";
import { Links } from "./access/links.ts";
import { ServerAccess } from "./access/server-access.ts";
import { isLoopback } from "./base/address-list.ts";
import { type Log, openLog } from "./base/log/log.ts";
import type { Config } from "./config/schema.ts";
import { jwtSettings } from "./config/settings.ts";
import { diagnose, type Diagnosed } from "./diagnosis.ts";
import { AdminGateway } from "./gateways/admin/gateway.ts";
import { isSocketPath } from "./listen/unix-socket.ts";
import { type Pool } from "./pool/pool.ts";
import { CacheLayout } from "./store/layout.ts";

/** Only this machine reaches it. */
function isLocal(host: string): boolean {
  return isLoopback(host) || isSocketPath(host);
}

export async function openAccess(
  config: Config,
  layout: CacheLayout,
  { keeper }: Pool,
): Promise<ServerAccess> {
  const { host, listen, open: isOpen, anonymous } = config;
  const log = openLog("access");
  const jwts = await Jwts.open(jwtSettings(config), log);
  return new ServerAccess({
    store: keeper,
    isOpen,
    anonymous,
    isLoopback: [host, ...listen.map((each) => each.host)].every(isLocal),
    closedMark: new ClosedMark(layout.accessClosed, log),
    jwts,
    openLinks: await linksOf(config, layout, keeper, log),
    log,
  });
}

/** A key file is read before the store is opened. Nodes that share a catalog share a key in it, unless each has the file. */
async function linksOf(
  { linkKeyFile, catalog }: Config,
  { linkKeys }: CacheLayout,
  keeper: Pool["keeper"],
  log: Log,
): Promise<() => Promise<Links>> {
  if (linkKeyFile === undefined && catalog !== undefined) return () => Links.ofCatalog(keeper, linkKeys, log);
  const links = await Links.open(linkKeyFile, linkKeys, log);
  return async () => links;
}

/** Tokens that other nodes change, and sessions that they end. After a failure the reopened catalog says so again. */
export function followAccess({ keeper }: Pool, access: ServerAccess, log: Log): void {
  keeper.watchChanges("tokens", () => {
    access
      .tokensChanged()
      .catch((error: unknown) => log.error("tokens could not be read again", { error: String(error) }));
  });
  keeper.watchChanges("sessions", () => {
    access.sessions
      .endedElsewhere()
      .catch((error: unknown) => log.error("sessions could not be read again", { error: String(error) }));
  });
}

export function openAdmin(
  { admin: path }: CacheLayout,
  pool: Pool,
  access: ServerAccess,
  diagnosed: Diagnosed,
  log: Log,
) {
  const onTokenChanged = (id: string) => access.changedByCommand(id);
  return AdminGateway.open({
    path,
    catalog: pool.keeper,
    onTokenChanged,
    diagnose: () => diagnose(diagnosed),
    log,
  });
}
