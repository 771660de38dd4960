/**
 * The composition root: locks, threads, engine, gateways and listeners are built in this order, and close in reverse. The
 * engine opens last: a server that cannot have its folders or its ports must not repair what another one is writing.
 */
import { version } from "../package.json";
import { ClosedMark } from "./access/closed-mark.ts";
import { Jwts } from "./access/jwt.ts";
import { Links } from "./access/links.ts";
import { ServerAccess } from "./access/server-access.ts";
import { isLoopback } from "./base/address-list.ts";
import { permitsMoreThan } from "./base/system/file-mode.ts";
import { isAdminCommand, readAdminCommand } from "./admin/command.ts";
import { runAdminCommand } from "./admin/run.ts";
import { isTokenCommand, readTokenCommand } from "./admin/token/command.ts";
import { runTokenCommand } from "./admin/token/run.ts";
import { GatewayMeters } from "./base/gateway-meter.ts";
import { projectFolder, workerEntry } from "./base/project-folder.ts";
import { settleGraceMs, stallTimeoutMs } from "./base/limits/connections.ts";
import { messageIdleTimeoutMs } from "./base/limits/v1.ts";
import { logFlushMs } from "./base/limits/log.ts";
import { type Log, openLog } from "./base/log/log.ts";
import { LogOutput } from "./base/log/log-output.ts";
import { openTracer } from "./base/tracing/open-tracer.ts";
import type { Tracer } from "./base/tracing/tracer.ts";
import { Readiness } from "./base/readiness.ts";
import { ServiceManager } from "./base/system/service-manager.ts";
import { closeOnSignal } from "./base/system/shutdown.ts";
import { surviveUncaught } from "./base/system/uncaught.ts";
import { NatsBus } from "./bus/nats-bus.ts";
import { bucketSettings } from "./config/bucket.ts";
import { isConfigCommand, runConfigCommand } from "./config/command.ts";
import { readFlags } from "./config/flags.ts";
import { Reloader } from "./config/reload/reloader.ts";
import type { Config } from "./config/schema.ts";
import {
  certificateSettings,
  engineSettings,
  jwtSettings,
  mqttSettings,
  natsSettings,
  tracingSettings,
} from "./config/settings.ts";
import { diagnose, type Diagnosed } from "./diagnosis.ts";
import { followConfig, reloadIgnoringReport, watchFile } from "./follow-config.ts";
import { startFailure } from "./config/start-failure.ts";
import { ConsumerUpkeep } from "./engine/events/delivery/consumer-upkeep.ts";
import { buildEngine, type Engine, openEngine } from "./engine/engine.ts";
import { audioCacheRoute } from "./gateways/audio-cache/route.ts";
import { AdminGateway } from "./gateways/admin/gateway.ts";
import { DeviceGateway } from "./gateways/devices/gateway.ts";
import { httpRoutes } from "./gateways/http/routes.ts";
import { echoRoute, ingestHttpRoute, ingestRoute } from "./gateways/ingest/route.ts";
import { liveRoute } from "./gateways/live/live.ts";
import { liveSocketRoute } from "./gateways/live/socket.ts";
import { Metrics } from "./gateways/metrics/metrics.ts";
import { MqttGateway } from "./gateways/mqtt/gateway.ts";
import { pageFolders } from "./gateways/page/bundle.ts";
import { pageRoute } from "./gateways/page/page.ts";
import { SongsTlsGateway } from "./gateways/songs-tls/gateway.ts";
import { SongsUdpGateway } from "./gateways/songs-udp/gateway.ts";
import { V1Gateway } from "./gateways/v1/gateway.ts";
import { Certificates } from "./listen/tls/certificates.ts";
import { type Connections, openConnections } from "./listen/connections/connections.ts";
import { planDescriptors } from "./listen/connections/descriptor-plan.ts";
import type { ListenerSettings } from "./listen/listener.ts";
import { Listeners } from "./listen/listeners.ts";
import { isSocketPath } from "./listen/unix-socket.ts";
import { addressesOf, portsOf, reportReady } from "./ready-report.ts";
import { openPort } from "./listen/open-port.ts";
import { closePool, openPool, type Pool } from "./pool/pool.ts";
import { CacheLayout } from "./store/layout.ts";
import { lockFolders } from "./store/lock.ts";
import { Library } from "./store/library/library.ts";

interface Running {
  /** The URLs that it listens on. */
  addresses: string[];
  /** Finishes uploads that have ended, keeps unfinished ones for a resume, and frees everything. */
  close: () => Promise<void>;
}

const entries = {
  write: workerEntry("write"),
  read: workerEntry("read"),
  keep: workerEntry("keep"),
  encode: workerEntry("encode"),
  archive: workerEntry("archive"),
};

/** Starts everything; rejects, with nothing left running or repaired, if a part cannot start. */
async function startServer(reloader: Reloader, log: Log, logOutput: LogOutput): Promise<Running> {
  const { config } = reloader;
  const { cacheDir, recordingsDir, workers, libraryDir } = config;
  // Disposed of here if a later part cannot start, otherwise by `close`.
  await using opened = new AsyncDisposableStack();
  const locks = lockFolders(cacheDir, recordingsDir);
  opened.defer(() => locks.release());
  warnIfShared(cacheDir, log);
  const bucket = bucketSettings(config, process.env);
  // Each worker is a writer and a reader; the keeper, its sync thread, the encoder and the archiver come on top.
  const plan = planDescriptors(2 * workers + 4);
  const connections = openConnections(config, plan, log);
  opened.defer(() => connections.close());
  const onLost = (reason: string) => log.error("a worker died and is restarted", { reason });
  const { maxReadFiles } = plan;
  const pool = openPool({ entries, cacheDir, workers, maxReadFiles, bucket, onLost });
  opened.defer(() => closePool(pool));
  const library = await Library.open(libraryDir, openLog("library"));
  opened.defer(() => library.close());
  const readiness = new Readiness();
  readiness.set("STARTING");
  const nats = natsSettings(config);
  const bus = nats && (await NatsBus.open(nats, openLog("nats")));
  opened.defer(() => bus?.close());
  const tracing = tracingSettings(config);
  const tracer = await openTracer(tracing && { ...tracing, version }, openLog("tracing"));
  opened.defer(() => tracer.close());
  const base = { pool, tracer, layout: new CacheLayout(cacheDir), library, readiness, bus };
  const settings = engineSettings(config, plan.maxUploads);
  const engine = buildEngine(base, settings);
  deferClosing(engine, opened);
  const tls = certificateSettings(config);
  const certificates = tls && (await Certificates.open({ ...tls, readiness, log: openLog("tls") }));
  opened.defer(() => certificates?.close());
  const access = await openAccess(config, base.layout, pool);
  opened.defer(() => access.close());
  const meters = new GatewayMeters();
  const parts: Parts = {
    ...engine,
    tracer,
    bus,
    access,
    config,
    certificates,
    connections,
    meters,
    readiness,
    logOutput,
    reloader,
    reloads: reloader.figures,
  };

  const gateways = await openGateways(pool, parts, opened, log);
  const { listeners, songsUdp, mqtt } = gateways;
  await openEngine(engine);
  await access.open();
  pool.keeper.watchTokens(() => {
    access
      .tokensChanged()
      .catch((error: unknown) => log.error("tokens could not be read again", { error: String(error) }));
  });
  opened.defer(() => mqtt?.close());
  await mqtt?.open();
  opened.defer(openUpkeep(pool, engine, mqtt));
  readiness.clear("STARTING");
  engine.events.add("server.started", "server", { version });
  await engine.events.flush();
  const live = { engine, settings, access, connections, listeners, songsUdp, logOutput };
  followConfig(reloader, live);
  const fileWatch = await watchFile(reloader, log);
  opened.defer(() => fileWatch?.close());
  const admin = openAdmin(base.layout, pool, access, { ...parts, metrics: gateways.metrics }, log);
  opened.defer(() => admin?.close());

  const reached = reachedAt(config, gateways);
  opened.defer(reportReady(config, reached));
  const running = opened.move();
  const close = async () => {
    // Before the parts close one after the other: load balancers and clients go elsewhere from now on.
    readiness.set("SHUTTING_DOWN");
    listeners.stopAccepting();
    await running.disposeAsync();
  };
  return { addresses: reached.addresses, close };
}

interface Gateways {
  metrics: Metrics;
  devices: DeviceGateway | undefined;
  listeners: Listeners;
  songsTls: SongsTlsGateway | undefined;
  songsUdp: SongsUdpGateway | undefined;
  mqtt: ReturnType<typeof buildMqtt>;
}

/** Opens every port. Requests that need the store are refused until the engine is open. */
async function openGateways(
  pool: Pool,
  parts: Parts,
  opened: AsyncDisposableStack,
  log: Log,
): Promise<Gateways> {
  const devices = await openDeviceGateway(parts);
  // Leaving ends the streams of the devices; only then may their port close.
  opened.defer(() => parts.deviceCommands.close());
  opened.defer(() => parts.devices.close().then(() => devices?.close()));
  const mqtt = buildMqtt(pool, parts);
  const metrics = openMetrics(pool, { ...parts, mqtt });
  opened.defer(() => metrics.close());
  const v1 = openV1(parts);
  const listeners = await openListeners(parts, v1, metrics, log);
  opened.defer(() => closeListeners(listeners, v1, parts));
  const songsTls = await openSongsTls(parts);
  opened.defer(() => songsTls?.close());
  const songsUdp = await openSongsUdp(parts);
  opened.defer(() => songsUdp?.close());
  return { metrics, devices, listeners, songsTls, songsUdp, mqtt };
}

function reachedAt(config: Config, { listeners, songsTls, songsUdp, devices }: Gateways) {
  const others = [songsTls?.address, songsUdp?.address, devices?.address];
  const addresses = addressesOf(config, listeners, others);
  const ports = {
    ...portsOf(config, listeners),
    tls: songsTls?.port,
    udp: songsUdp?.port,
    grpc: devices?.port,
  };
  return { ports, addresses };
}

/** Of the parts that no listener needs. Consumers of events close before the events. */
function deferClosing({ sounds, events, hooks, commands }: Engine, opened: AsyncDisposableStack): void {
  opened.defer(() => sounds.close());
  opened.defer(() => events.close());
  opened.defer(() => hooks.close());
  opened.defer(() => commands.close());
}

/** The server creates the folder for its own user alone; a folder that exists keeps its mode. */
function warnIfShared(cacheDir: string, log: Log): void {
  if (!permitsMoreThan(cacheDir, 0o700)) return;
  log.warn("other users of this machine can read the cache folder; chmod 700 keeps it to its owner", {
    cacheDir,
  });
}

/** What the gateways are built from. */
interface Parts extends Engine {
  tracer: Tracer;
  /** Undefined on a single machine. */
  bus: NatsBus | undefined;
  access: ServerAccess;
  config: Config;
  certificates: Certificates | undefined;
  connections: Connections;
  meters: GatewayMeters;
  readiness: Readiness;
  logOutput: LogOutput;
  reloader: Reloader;
  reloads: Reloader["figures"];
}

/** Only this machine reaches it. */
function isLocal(host: string): boolean {
  return isLoopback(host) || isSocketPath(host);
}

async function openAccess(config: Config, layout: CacheLayout, { keeper }: Pool): Promise<ServerAccess> {
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

function openAdmin(
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

async function openDeviceGateway(parts: Parts): Promise<DeviceGateway | undefined> {
  const { host, grpcPort: port, grpcTls } = parts.config;
  if (port === "off") return undefined;
  const certificates = grpcTls ? parts.certificates : undefined;
  const meter = parts.meters.add("devices");
  const { devices, access, connections } = parts;
  const { limit } = connections;
  const settings = { host, port, certificates, devices, access, limit, meter, log: openLog("devices") };
  return await openPort(host, port, () => DeviceGateway.open(settings));
}

/** Undefined without a broker. */
function buildMqtt(
  { keeper }: Pool,
  { config, events, devices, recordings }: Parts,
): MqttGateway | undefined {
  const settings = mqttSettings(config);
  if (settings === undefined) return undefined;
  return new MqttGateway({ events, keeper, devices, recordings }, { ...settings, version }, openLog("mqtt"));
}

/** Returns what ends it. */
function openUpkeep({ keeper }: Pool, { hooks, commands }: Engine, mqtt: MqttGateway | undefined) {
  // A reload changes them.
  const consumers = () =>
    [...hooks.consumers, commands.consumer, mqtt?.consumer].filter((name) => name !== undefined);
  const upkeep = new ConsumerUpkeep(keeper, consumers, openLog("events"));
  upkeep.open();
  return () => upkeep.close();
}

function openMetrics(pool: Pool, parts: Parts & { mqtt: MqttGateway | undefined }): Metrics {
  const called = [
    { thread: "keeper", calls: pool.keeper },
    { thread: "encoder", calls: pool.encoders },
    ...(pool.archiver === undefined ? [] : [{ thread: "archiver", calls: pool.archiver }]),
  ];
  return new Metrics({ version, called, ...pool, ...parts });
}

function openV1({ config, streams, recordings, access, meters }: Parts): V1Gateway {
  return new V1Gateway({
    streams,
    recordings,
    access,
    path: config.path,
    name: `wavecache ${version}`,
    idleMs: messageIdleTimeoutMs,
    meter: meters.add("v1"),
    log: openLog("v1"),
  });
}

/** The main port serves every route; live ingest has a second port, unless it is off. */
async function openListeners(parts: Parts, v1: V1Gateway, metrics: Metrics, log: Log): Promise<Listeners> {
  const { config, streams, recordings, access, connections, meters, readiness } = parts;
  const { host, port, path, ingestPort, basePath } = config;
  const [liveMeter, liveLog] = [meters.add("live"), openLog("live")];
  const ingest = {
    sockets: [
      liveSocketRoute(recordings, liveMeter, liveLog),
      echoRoute(meters.add("echo")),
      ingestRoute(recordings, meters.add("ingest"), openLog("ingest")),
    ],
    http: [ingestHttpRoute, liveRoute(recordings, liveMeter, liveLog)],
  };
  const { maxMessageBytes } = config;
  const audioCache = {
    ...audioCacheRoute(path, streams, meters.add("audio-cache"), openLog("audio-cache")),
    maxMessageBytes,
  };
  const api = httpRoutes(parts, version, meters.add("api"));
  const page = pageRoute({
    folders: pageFolders(projectFolder),
    basePath,
    audioPath: path,
    version,
    meter: meters.add("page"),
  });
  const main = {
    sockets: [v1.route, audioCache, ...ingest.sockets],
    http: [...api, metrics.route, page, ...ingest.http],
  };
  const certificates = config.tls ? parts.certificates : undefined;
  const common = {
    host,
    certificates,
    ...connections,
    access,
    maxMessageBytes,
    stallTimeoutMs,
    trustProxy: config.trustProxy,
    allowHost: config.allowHost,
    allowOrigin: config.allowOrigin,
    basePath,
    meter: meters.add("listener"),
    isStarting: () => readiness.has("STARTING"),
    log,
    requestLog: openLog("http"),
  };
  const ports: ListenerSettings[] = [{ ...common, ...main, port }];
  if (ingestPort !== "off") ports.push({ ...common, ...ingest, port: ingestPort });
  for (const address of config.listen) {
    // Peers of a Unix socket are on this machine: nothing encrypts, nor counts them as TCP connections.
    const local = isSocketPath(address.host) ? { certificates: undefined, watch: undefined } : {};
    ports.push({ ...common, ...main, ...address, ...local });
  }
  return await Listeners.open(ports);
}

async function openSongsTls({ config, certificates, songs, access, connections, meters }: Parts) {
  const { host, tlsPort: port } = config;
  const { limit } = connections;
  if (port === "off" || certificates === undefined) return undefined;
  const meter = meters.add("songs-tls");
  const settings = { host, port, certificates, songs, access, limit, meter, log: openLog("songs-tls") };
  return await openPort(host, port, () => SongsTlsGateway.open(settings));
}

async function openSongsUdp({ config, songs, access, meters }: Parts) {
  const { host, udpPort: port, udpAllow: allow, udpRateMbps: rateMbps } = config;
  if (port === "off") return undefined;
  const meter = meters.add("songs-udp");
  const settings = { host, port, allow, rateMbps, songs, access, meter, log: openLog("songs-udp") };
  return await openPort(host, port, () => SongsUdpGateway.open(settings));
}

function drainMs({ config }: Reloader): number {
  return config.drainSeconds * 1000;
}

/**
 * Peers of v1 learn first that the server leaves, and requests get their answers; what others have sent is made durable
 * before their ports close.
 */
async function closeListeners(
  listeners: Listeners,
  v1: V1Gateway,
  { streams, recordings, retention, archive, reloader }: Parts,
): Promise<void> {
  const limitMs = drainMs(reloader);
  await Promise.all([v1.leave(limitMs), listeners.untilAnswered(limitMs)]);
  await retention.close();
  await Promise.all([streams.close(), recordings.close()]);
  await archive?.close();
  await listeners.close();
}

/** Runs a command on the store instead of a server. */
async function runAdmin(args: string[]): Promise<void> {
  const command = readAdminCommand(args, process.env);
  if (command !== undefined) process.exitCode = await runAdminCommand(command);
}

async function runToken(args: string[]): Promise<void> {
  const command = readTokenCommand(args, process.env);
  if (command !== undefined) await runTokenCommand(command);
}

function runConfig(args: string[]): void {
  const { out, error, exitCode } = runConfigCommand(args, process.env);
  process.stdout.write(out);
  process.stderr.write(error);
  process.exitCode = exitCode;
}

/** Runs the server until a signal ends it, or a command on the store. `args` are the flags. */
export async function main(args: string[]): Promise<void> {
  let logOutput: LogOutput | undefined;
  try {
    if (isAdminCommand(args)) return await runAdmin(args);
    if (isTokenCommand(args)) return await runToken(args);
    if (isConfigCommand(args)) return runConfig(args);
    const flags = readFlags(args);
    if (flags === undefined) return;
    const reloader = new Reloader(flags, process.env, openLog("config"));
    logOutput = LogOutput.open(reloader.config.logLevel, reloader.config.logFormat);
    const flushLog = logOutput.flush.bind(logOutput, logFlushMs);
    const log = openLog("server");
    surviveUncaught(log);
    const service = ServiceManager.open(process.env, openLog("service"));
    const { addresses, close: closeServer } = await startServer(reloader, log, logOutput);
    log.info(`ready ${addresses.join(" ")}`);
    service.ready(`ready ${addresses.join(" ")}`);
    const reload = () => void service.reload(() => reloadIgnoringReport(reloader, "signal"));
    const graceMs = () => drainMs(reloader) + settleGraceMs;
    const close = () => service.stop(closeServer, graceMs());
    closeOnSignal({ close, reload, flushLog, graceMs, log });
  } catch (error) {
    const { message, exitCode } = startFailure(error);
    await logOutput?.flush(logFlushMs);
    process.stderr.write(`wavecache: ${message}\n`);
    process.exit(exitCode);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
