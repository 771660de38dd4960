/** Opens the gateways and the listeners, which close in reverse. */
import { version } from "../package.json";
import { ServerAccess } from "./access/server-access.ts";
import { GatewayMeters } from "./base/gateway-meter.ts";
import { projectFolder } from "./base/project-folder.ts";
import { stallTimeoutMs } from "./base/limits/connections.ts";
import { messageIdleTimeoutMs } from "./base/limits/v1.ts";
import { type Log, openLog } from "./base/log/log.ts";
import { LogOutput } from "./base/log/log-output.ts";
import type { Tracer } from "./base/tracing/tracer.ts";
import { Readiness } from "./base/readiness.ts";
import { NatsBus } from "./bus/nats-bus.ts";
import { Reloader } from "./config/reload/reloader.ts";
import type { Config } from "./config/schema.ts";
import { mqttSettings } from "./config/settings.ts";
import { type Engine } from "./engine/engine.ts";
import { audioCacheRoute } from "./gateways/audio-cache/route.ts";
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
import { type Connections } from "./listen/connections/connections.ts";
import type { ListenerSettings } from "./listen/listener.ts";
import { Listeners } from "./listen/listeners.ts";
import { isSocketPath } from "./listen/unix-socket.ts";
import { addressesOf, portsOf } from "./ready-report.ts";
import { openPort } from "./listen/open-port.ts";
import { type Pool } from "./pool/pool.ts";

/** What the gateways are built from. */
export interface Parts extends Engine {
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

export interface Gateways {
  metrics: Metrics;
  devices: DeviceGateway | undefined;
  listeners: Listeners;
  songsTls: SongsTlsGateway | undefined;
  songsUdp: SongsUdpGateway | undefined;
  mqtt: ReturnType<typeof buildMqtt>;
}

/** Opens every port. Requests that need the store are refused until the engine is open. */
export async function openGateways(
  pool: Pool,
  parts: Parts,
  opened: AsyncDisposableStack,
  log: Log,
): Promise<Gateways> {
  const devices = await openDeviceGateway(parts);
  // Leaving ends the streams of the devices; only then may their port close.
  opened.defer(() => parts.deviceCommands.close());
  opened.defer(() => parts.clusterDevices.close());
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

/** Where peers reach the gateways. */
export function reachedAt(config: Config, { listeners, songsTls, songsUdp, devices }: Gateways) {
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
  { config, events, claims, devices, clusterDevices, recordings }: Parts,
): MqttGateway | undefined {
  const settings = mqttSettings(config);
  if (settings === undefined) return undefined;
  return new MqttGateway(
    { events, keeper, claims, devices, allDevices: clusterDevices, recordings },
    { ...settings, version },
    openLog("mqtt"),
  );
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

/** How long uploads in progress have to end at a shutdown. */
export function drainMs({ config }: Reloader): number {
  return config.drainSeconds * 1000;
}

/**
 * Peers of v1 learn first that the server leaves, and requests get their answers; what others have sent is made durable
 * before their ports close.
 */
async function closeListeners(
  listeners: Listeners,
  v1: V1Gateway,
  { streams, recordings, retention, archive, reloader, changeNews, nodeTasks }: Parts,
): Promise<void> {
  const limitMs = drainMs(reloader);
  await Promise.all([v1.leave(limitMs), listeners.untilAnswered(limitMs)]);
  changeNews?.close();
  await nodeTasks.close();
  await retention.close();
  await Promise.all([streams.close(), recordings.close()]);
  await archive?.close();
  await listeners.close();
}
