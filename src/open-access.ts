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
  const links = await Links.open(config.linkKeyFile, layout.linkKeys, log);
  return new ServerAccess({
    store: keeper,
    isOpen,
    anonymous,
    isLoopback: [host, ...listen.map((each) => each.host)].every(isLocal),
    closedMark: new ClosedMark(layout.accessClosed, log),
    jwts,
    links,
    log,
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
