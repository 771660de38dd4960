/**
 * The composition root: locks, threads, engine, gateways and listeners are built in this order, and close in reverse. The
 * engine opens last: a server that cannot have its folders or its ports must not repair what another one is writing.
 */
import { version } from "../package.json";
import { permitsMoreThan } from "./base/system/file-mode.ts";
import { isAdminCommand, readAdminCommand } from "./admin/command.ts";
import { runAdminCommand } from "./admin/run.ts";
import { isTokenCommand, readTokenCommand } from "./admin/token/command.ts";
import { runTokenCommand } from "./admin/token/run.ts";
import { GatewayMeters } from "./base/gateway-meter.ts";
import { workerEntry } from "./base/project-folder.ts";
import { maxClockErrorMs } from "./base/limits/postgres.ts";
import { settleGraceMs } from "./base/limits/connections.ts";
import { logFlushMs } from "./base/limits/log.ts";
import { type Log, openLog } from "./base/log/log.ts";
import { LogOutput } from "./base/log/log-output.ts";
import { openTracer } from "./base/tracing/open-tracer.ts";
import { Readiness } from "./base/readiness.ts";
import { clockAheadMs, correctClock } from "./base/system/shared-clock.ts";
import { ServiceManager } from "./base/system/service-manager.ts";
import { closeOnSignal } from "./base/system/shutdown.ts";
import { surviveUncaught } from "./base/system/uncaught.ts";
import { NatsBus } from "./bus/nats-bus.ts";
import { bucketSettings } from "./config/bucket.ts";
import { isConfigCommand, runConfigCommand } from "./config/command.ts";
import { readFlags } from "./config/flags.ts";
import { Reloader } from "./config/reload/reloader.ts";
import type { Config } from "./config/schema.ts";
import { certificateSettings, engineSettings, natsSettings, tracingSettings } from "./config/settings.ts";
import { followConfig, reloadIgnoringReport, watchFile } from "./follow-config.ts";
import { startFailure } from "./config/start-failure.ts";
import { ConsumerUpkeep } from "./engine/events/delivery/consumer-upkeep.ts";
import { buildEngine, type Engine, openEngine } from "./engine/engine.ts";
import { MqttGateway } from "./gateways/mqtt/gateway.ts";
import { Certificates } from "./listen/tls/certificates.ts";
import { type Connections, openConnections } from "./listen/connections/connections.ts";
import { planDescriptors } from "./listen/connections/descriptor-plan.ts";
import { reportReady } from "./ready-report.ts";
import { closePool, openPool, type Pool } from "./pool/pool.ts";
import { CacheLayout } from "./store/layout.ts";
import { lockFolders } from "./store/lock.ts";
import { Library } from "./store/library/library.ts";
import { followAccess, openAccess, openAdmin } from "./open-access.ts";
import { drainMs, openGateways, type Parts, reachedAt } from "./open-gateways.ts";
import type { EngineBase } from "./engine/engine.ts";
import type { DescriptorPlan } from "./listen/connections/descriptor-plan.ts";

const entries = {
  write: workerEntry("write"),
  read: workerEntry("read"),
  keep: workerEntry("keep"),
  encode: workerEntry("encode"),
  archive: workerEntry("archive"),
};

/** What the engine and the gateways are built on. */
interface Base extends EngineBase {
  plan: DescriptorPlan;
  connections: Connections;
  bus: NatsBus | undefined;
}

/** Locks the folders, and starts the threads. */
async function openBase(config: Config, opened: AsyncDisposableStack, log: Log): Promise<Base> {
  const { cacheDir, recordingsDir, workers, libraryDir } = config;
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
  const pool = openPool({ entries, cacheDir, recordingsDir, workers, maxReadFiles, bucket, onLost });
  opened.defer(() => closePool(pool));
  const library = await Library.open(libraryDir, openLog("library"));
  opened.defer(() => library.close());
  const nats = natsSettings(config);
  const bus = nats && (await NatsBus.open(nats, openLog("nats")));
  opened.defer(() => bus?.close());
  const tracing = tracingSettings(config);
  const tracer = await openTracer(tracing && { ...tracing, version }, openLog("tracing"));
  opened.defer(() => tracer.close());
  const readiness = new Readiness();
  readiness.set("STARTING");
  return { plan, connections, pool, tracer, layout: new CacheLayout(cacheDir), library, readiness, bus };
}

/**
 * Starts everything; rejects, with nothing left running or repaired, if a part cannot start. `started` gets what closes
 * it, before the server reports that it is ready: whoever reads that may end it at once.
 */
async function startServer(
  reloader: Reloader,
  log: Log,
  logOutput: LogOutput,
  started: (close: () => Promise<void>) => void,
): Promise<readonly string[]> {
  const { config } = reloader;
  // Disposed of here if a later part cannot start, otherwise by `close`.
  await using opened = new AsyncDisposableStack();
  const base = await openBase(config, opened, log);
  const { plan, connections, pool, tracer, readiness, bus } = base;
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
  pool.keeper.watchClock((aheadMs) => followClock(aheadMs, log));
  await openEngine(engine);
  followAccess(pool, access, log);
  await access.open();
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
  started(async () => {
    // Before the parts close one after the other: load balancers and clients go elsewhere from now on.
    readiness.set("SHUTTING_DOWN");
    listeners.stopAccepting();
    await running.disposeAsync();
  });
  opened.defer(reportReady(config, reached));
  const running = opened.move();
  return reached.addresses;
}

/** Nodes with one catalog go by its clock. */
function followClock(aheadMs: number, log: Log): void {
  const known = clockAheadMs();
  correctClock(aheadMs);
  if (aheadMs === 0 && known !== 0) log.info("the clock of this machine is right again");
  else if (Math.abs(aheadMs - known) > maxClockErrorMs)
    log.warn("the clock of this machine is wrong; its times are corrected by the clock of the catalog", {
      aheadMs,
    });
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

/** Returns what ends it. */
function openUpkeep({ keeper }: Pool, { hooks, commands }: Engine, mqtt: MqttGateway | undefined) {
  // A reload changes them.
  const consumers = () =>
    [...hooks.consumers, commands.consumer, mqtt?.consumer].filter((name) => name !== undefined);
  const upkeep = new ConsumerUpkeep(keeper, consumers, openLog("events"));
  upkeep.open();
  return () => upkeep.close();
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
    const reload = () => void service.reload(() => reloadIgnoringReport(reloader, "signal"));
    const graceMs = () => drainMs(reloader) + settleGraceMs;
    const addresses = await startServer(reloader, log, logOutput, (closeServer) => {
      const close = () => service.stop(closeServer, graceMs());
      closeOnSignal({ close, reload, flushLog, graceMs, log });
    });
    log.info(`ready ${addresses.join(" ")}`);
    service.ready(`ready ${addresses.join(" ")}`);
  } catch (error) {
    const { message, exitCode } = startFailure(error);
    await logOutput?.flush(logFlushMs);
    process.stderr.write(`wavecache: ${message}\n`);
    process.exit(exitCode);
  }
}

if (import.meta.main) await main(process.argv.slice(2));
