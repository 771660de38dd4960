/** The composition root: config, pool, engine, doors, in this order; closed in reverse. */
import { version } from "../package.json";
import { GatewayMeters } from "./base/gateway-meter.ts";
import { errorRow, toWavecacheError } from "./base/errors.ts";
import { shutdownGraceMs, stallTimeoutMs } from "./base/limits/connections.ts";
import { goodbyeMs, messageIdleTimeoutMs } from "./base/limits/v1.ts";
import { configureLog, type Log, openLog } from "./base/log.ts";
import { readConfig } from "./config/config.ts";
import { type Config, ConfigError } from "./config/schema.ts";
import { catalogStore, Devices } from "./engine/devices/devices.ts";
import { Streams } from "./engine/streams/streams.ts";
import { Recordings, type RecordingSettings } from "./engine/recordings/recordings.ts";
import { Songs } from "./engine/songs/songs.ts";
import type { SoundSource } from "./engine/sounds/sound.ts";
import { soundNames, Sounds } from "./engine/sounds/sounds.ts";
import { devicesRoute } from "./gateways/http/devices.ts";
import { libraryRoute } from "./gateways/http/library.ts";
import { recordingsRoute } from "./gateways/http/recordings.ts";
import { streamsRoute } from "./gateways/http/streams.ts";
import { audioCacheRoute } from "./gateways/audio-cache/route.ts";
import { DeviceGateway } from "./gateways/devices/gateway.ts";
import { homeRoute } from "./gateways/http/home.ts";
import { echoRoute, ingestHttpRoute, ingestRoute } from "./gateways/ingest/route.ts";
import { liveRoute } from "./gateways/live/live.ts";
import { V1Gateway } from "./gateways/v1/gateway.ts";
import { SongsTlsGateway } from "./gateways/songs-tls/gateway.ts";
import { Metrics } from "./gateways/metrics/metrics.ts";
import { SongsUdpGateway } from "./gateways/songs-udp/gateway.ts";
import { closePool, openPool, type Pool } from "./pool/pool.ts";
import { CacheLayout } from "./store/layout.ts";
import { Library } from "./store/library/library.ts";
import { Certificates } from "./listen/certificates.ts";
import { ConnectionLimit } from "./listen/connection-limit.ts";
import { Listener, type ListenerSettings } from "./listen/listener.ts";

/** A server that runs. */
export interface Running {
  /** Addresses it listens on. */
  addresses: string[];
  /** Finishes what was acknowledged or is being finished, keeps the rest, and frees everything. */
  close(): Promise<void>;
}

const entries = {
  write: new URL("../workers/write.ts", import.meta.url),
  read: new URL("../workers/read.ts", import.meta.url),
  keep: new URL("../workers/keep.ts", import.meta.url),
  encode: new URL("../workers/encode.ts", import.meta.url),
};

/** Starts everything; rejects, with nothing left running, if something cannot start. */
export async function startServer(config: Config): Promise<Running> {
  const log = openLog("server");
  const pool = openPool({
    entries,
    cacheDir: config.cacheDir,
    workers: config.workers,
    onLost: (reason) => log.error("a worker died and is started again", { reason }),
  });
  // What is opened is closed in reverse, at the end as when something after it cannot start.
  await using opened = new AsyncDisposableStack();
  opened.defer(() => closePool(pool));
  const layout = new CacheLayout(config.cacheDir);
  const engineSettings = { ...config, incompleteTtlSeconds: config.incompleteTtl };
  const engine = new Streams(pool, layout, engineSettings, openLog("engine"));
  await engine.open();
  const recordings = new Recordings(pool, recordingSettings(config), openLog("recordings"));
  await recordings.open();
  const library = await Library.open(config.libraryDir, openLog("library"));
  opened.defer(() => library.close());
  const songs = new Songs(library, engine, layout);
  const certificates = await openCertificates(config);
  opened.defer(() => certificates?.close());
  const meters = new GatewayMeters();
  const soundSettings = { names: soundNames(config.sounds), layout };
  const sounds = new Sounds(library, pool.encoders, soundSettings, openLog("sounds"));
  opened.defer(() => sounds.close());
  const devices = await openDevices(config, pool, sounds);
  opened.defer(() => devices.close());
  const deviceGateway = await openDeviceGateway(config, certificates, devices, meters);
  // A stream of a device ends by its device's leave, with the sound on it; the port goes when that has been said.
  opened.defer(() => devices.close().then(() => deviceGateway?.close()));
  const metrics = openMetrics(pool, engine, recordings, devices, sounds, meters);
  opened.defer(() => metrics.close());
  const core = { engine, recordings, songs, devices, meters, metrics };
  const listeners = await openListeners(config, certificates, core, log);
  opened.defer(() => closeListeners(listeners, engine, recordings));
  const songsTls = await openSongsTls(config, certificates, songs, meters);
  opened.defer(() => songsTls?.close());
  const songsUdp = await openSongsUdp(config, songs, meters);
  opened.defer(() => songsUdp?.close());
  const closing = opened.move();
  const addresses = addressesOf(config, listeners, songsTls, songsUdp, deviceGateway);
  return { addresses, close: () => closing.disposeAsync() };
}

function openMetrics(
  pool: Pool,
  cache: Streams,
  recordings: Recordings,
  devices: Devices,
  sounds: Sounds,
  meters: GatewayMeters,
): Metrics {
  const { writers, readers, keeper, encoders } = pool;
  const called = [
    { thread: "keeper", calls: keeper },
    { thread: "encoder", calls: encoders },
  ];
  return new Metrics({
    version,
    meters,
    streams: cache,
    recordings,
    devices,
    sounds,
    writers,
    readers,
    called,
  });
}

/** What the doors serve, and what counts them. */
interface Core {
  engine: Streams;
  recordings: Recordings;
  songs: Songs;
  devices: Devices;
  meters: GatewayMeters;
  metrics: Metrics;
}

function recordingSettings(config: Config): RecordingSettings {
  return {
    folder: config.recordingsDir,
    rotateMs: config.rotateSeconds * 1000,
    syncMs: config.syncSeconds * 1000,
    nibbles: config.adpcmNibbles === "auto" ? undefined : config.adpcmNibbles,
    fillGaps: config.fillGaps,
  };
}

/** How long the LEDs of a device flash when it connects. */
const flashMs = 200;

async function openDevices(config: Config, pool: Pool, sounds: SoundSource): Promise<Devices> {
  const settings = { leadMs: config.leadMs, flashMs: config.flash ? flashMs : 0 };
  const devices = new Devices(catalogStore(pool), sounds, settings, openLog("devices"));
  await devices.open();
  return devices;
}

/** Undefined if it stays shut. */
async function openDeviceGateway(
  config: Config,
  certificates: Certificates | undefined,
  devices: Devices,
  meters: GatewayMeters,
): Promise<DeviceGateway | undefined> {
  const { host, grpcPort, grpcTls } = config;
  if (grpcPort === "off") return undefined;
  const log = openLog("devices");
  if (!grpcTls && !isLoopback(host)) {
    log.warn("devices and this server talk in the clear on this address: --grpc-tls encrypts", { host });
  }
  return await DeviceGateway.open({
    host,
    port: grpcPort,
    certificates: grpcTls ? certificates : undefined,
    devices,
    meter: meters.add("devices"),
    log,
  });
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Undefined if no door needs one. */
async function openCertificates(config: Config): Promise<Certificates | undefined> {
  if (config.tlsPort === "off" && !config.tls && !(config.grpcTls && config.grpcPort !== "off"))
    return undefined;
  const { tlsCert: cert, tlsKey: key } = config;
  const files = cert === undefined || key === undefined ? undefined : { cert, key };
  return await Certificates.open({
    files,
    folder: new CacheLayout(config.cacheDir).tls,
    log: openLog("tls"),
  });
}

/** The ports: all doors on the main one; live ingest has one of its own besides, unless it is off. */
interface Listeners {
  main: Listener;
  ingest: Listener | undefined;
  v1: V1Gateway;
}

async function openListeners(
  config: Config,
  certificates: Certificates | undefined,
  core: Core,
  log: Log,
): Promise<Listeners> {
  const { engine, recordings, songs, meters, metrics } = core;
  const ingestSockets = [
    echoRoute(meters.add("echo")),
    ingestRoute(recordings, meters.add("ingest"), openLog("ingest")),
  ];
  const ingestHttp = [ingestHttpRoute, liveRoute(recordings, meters.add("live"), openLog("live"))];
  const audioCacheMeter = meters.add("audio-cache");
  const v1 = new V1Gateway({
    streams: engine,
    recordings,
    path: config.path,
    name: `wavecache ${version}`,
    idleMs: messageIdleTimeoutMs,
    meter: meters.add("v1"),
    log: openLog("v1"),
  });
  const api = meters.add("api");
  const limit = new ConnectionLimit(config.maxConnections);
  const common: Omit<ListenerSettings, "port" | "sockets" | "http"> = {
    host: config.host,
    certificates: config.tls ? certificates : undefined,
    limit,
    stallTimeoutMs,
    log,
  };
  const main = new Listener({
    ...common,
    port: config.port,
    sockets: [
      v1.route,
      audioCacheRoute(config.path, engine, audioCacheMeter, openLog("audio-cache")),
      ...ingestSockets,
    ],
    http: [
      homeRoute({ version, audioPath: config.path }),
      metrics.route,
      streamsRoute(engine, api),
      recordingsRoute(recordings, api),
      libraryRoute(songs, api),
      devicesRoute(core.devices, api),
      ...ingestHttp,
    ],
  });
  if (config.ingestPort === "off") return { main, ingest: undefined, v1 };
  try {
    const port = config.ingestPort;
    const ingest = new Listener({ ...common, port, sockets: ingestSockets, http: ingestHttp });
    return { main, ingest, v1 };
  } catch (error) {
    await main.close();
    throw error;
  }
}

async function openSongsTls(
  { host, tlsPort: port }: Config,
  certificates: Certificates | undefined,
  songs: Songs,
  meters: GatewayMeters,
): Promise<SongsTlsGateway | undefined> {
  if (port === "off" || certificates === undefined) return undefined;
  const meter = meters.add("songs-tls");
  return await SongsTlsGateway.open({ host, port, certificates, songs, meter, log: openLog("songs-tls") });
}

/** Undefined if it stays shut. */
async function openSongsUdp(
  config: Config,
  songs: Songs,
  meters: GatewayMeters,
): Promise<SongsUdpGateway | undefined> {
  const { host, udpPort: port, udpAllow: allow, udpRateMbps: rateMbps } = config;
  if (port === "off") return undefined;
  const meter = meters.add("songs-udp");
  return await SongsUdpGateway.open({ host, port, allow, rateMbps, songs, meter, log: openLog("songs-udp") });
}

async function closeListeners(
  { main, ingest, v1 }: Listeners,
  engine: Streams,
  recordings: Recordings,
): Promise<void> {
  main.stopAccepting();
  ingest?.stopAccepting();
  await v1.leave(goodbyeMs);
  await Promise.all([engine.close(), recordings.close()]);
  await Promise.all([main.close(), ingest?.close()]);
}

function addressesOf(
  config: Config,
  { main, ingest }: Listeners,
  songsTls: SongsTlsGateway | undefined,
  songsUdp: SongsUdpGateway | undefined,
  deviceGateway: DeviceGateway | undefined,
): string[] {
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const s = config.tls ? "s" : "";
  const ports = [`ws${s}://${host}:${main.port}${config.path}`, `http${s}://${host}:${main.port}/`];
  if (ingest !== undefined) ports.push(`ws${s}://${host}:${ingest.port}/ws`);
  if (songsTls !== undefined) ports.push(`tls://${host}:${songsTls.port}`);
  if (songsUdp !== undefined) ports.push(`udp://${host}:${songsUdp.port}`);
  if (deviceGateway !== undefined)
    ports.push(`grpc${config.grpcTls ? "s" : ""}://${host}:${deviceGateway.port}`);
  return ports;
}

/** Runs the server until a signal ends it. `args` are the flags. */
export async function main(args: string[]): Promise<void> {
  try {
    const config = readConfig(args, process.env);
    if (config === undefined) return;
    configureLog(config.logLevel);
    await run(config);
  } catch (error) {
    fail(error);
  }
}

async function run(config: Config): Promise<void> {
  const log = openLog("server");
  const running = await startServer(config);
  log.info(`ready ${running.addresses.join(" ")}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void shutDown(running, signal, log));
  }
}

async function shutDown(running: Running, signal: string, log: Log): Promise<void> {
  log.info("shutting down", { signal });
  const timer = setTimeout(() => {
    log.error("the shutdown took too long; unfinished uploads stay resumable");
    process.exit(1);
  }, shutdownGraceMs);
  await running.close();
  clearTimeout(timer);
  log.info("bye");
  process.exit(0);
}

/** One line on standard error; what to do about it where that is known. */
function fail(error: unknown): never {
  const message = error instanceof ConfigError ? error.message : explain(error);
  process.stderr.write(`wavecache: ${message}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}

function explain(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return `${error.message} (choose another port with --port, --ingest-port, --udp-port or --tls-port, or end the program that has it)`;
  }
  const known = toWavecacheError(error);
  return `${known.message} (${errorRow(known.code).hint})`;
}

if (import.meta.main) await main(process.argv.slice(2));
