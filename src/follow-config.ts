/** How the running server follows its configuration: by a signal, by a request, or when the file changes. */
import type { ServerAccess } from "./access/server-access.ts";
import type { Log } from "./base/log/log.ts";
import type { LogOutput } from "./base/log/log-output.ts";
import { FileWatch } from "./config/reload/file-watch.ts";
import type { ReloadCause, Reloader } from "./config/reload/reloader.ts";
import { engineSettings } from "./config/settings.ts";
import { checkEngine, configureEngine, type Engine, type EngineSettings } from "./engine/engine.ts";
import type { SongsUdpGateway } from "./gateways/songs-udp/gateway.ts";
import type { Connections } from "./listen/connections/connections.ts";
import type { Listeners } from "./listen/listeners.ts";

/** The parts of which something can change while they run. */
export interface LiveParts {
  engine: Engine;
  /** What the engine was built with. */
  settings: EngineSettings;
  access: ServerAccess;
  connections: Connections;
  listeners: Listeners;
  songsUdp: SongsUdpGateway | undefined;
  logOutput: LogOutput;
}

export function followConfig(reloader: Reloader, parts: LiveParts): void {
  const { engine, settings, access, connections, listeners, songsUdp, logOutput } = parts;
  const { maxUploads } = settings.streams;
  reloader.follow({
    check: (next) => checkEngine(engine, engineSettings(next, maxUploads)),
    apply: (next) => configureEngine(engine, settings, engineSettings(next, maxUploads)),
  });
  reloader.follow({
    check: ({ anonymous }) => access.checkAnonymous(anonymous),
    apply: ({ anonymous }) => access.changeAnonymous(anonymous),
  });
  reloader.follow({ apply: (next) => connections.configure(next) });
  reloader.follow({ apply: (next) => listeners.allow(next) });
  reloader.follow({
    apply: ({ udpAllow, udpRateMbps }) => songsUdp?.configure({ allow: udpAllow, rateMbps: udpRateMbps }),
  });
  reloader.follow({ apply: ({ logLevel }) => logOutput.changeLevels(logLevel) });
}

/** Undefined without a configuration file. */
export async function watchFile(reloader: Reloader, log: Log): Promise<FileWatch | undefined> {
  const { file } = reloader;
  if (file === undefined) return undefined;
  return await FileWatch.open(file, () => void reloadIgnoringReport(reloader, "file"), log);
}

/** Its outcome is in the log. Never rejects. */
export function reloadIgnoringReport(reloader: Reloader, cause: ReloadCause): Promise<void> {
  return reloader.reload(cause).then(logged, logged);
}

function logged(): void {}
