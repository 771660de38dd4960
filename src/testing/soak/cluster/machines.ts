/**
 * Several servers on one machine, with a PostgreSQL, a NATS server and an object store that they share, behind HAProxy.
 * Each server reaches each engine through a proxy of its own, so that it can be cut off alone. Their clocks differ.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canPreload, compileLibrary } from "../../harness/faults/preload.ts";
import { freePort } from "../../harness/free-port.ts";
import { Haproxy } from "../../harness/servers/haproxy.ts";
import { NatsServer } from "../../harness/servers/nats-server.ts";
import { ObjectStore } from "../../harness/servers/object-store.ts";
import { PostgresServer } from "../../harness/servers/postgres.ts";
import { TestServer } from "../../harness/server.ts";
import { TcpProxy } from "../../harness/tcp-proxy.ts";
import { until } from "../../harness/until.ts";

export type Engine = "postgres" | "nats" | "s3";
export const engines: readonly Engine[] = ["postgres", "nats", "s3"];

export interface MachineOptions {
  /** The clock of the second server is five minutes ahead, that of the third five minutes behind, and so on. */
  clocksDiffer?: boolean;
}

const aheadSeconds = [0, 300, -300];
const restartLimitMs = 60_000;
/** Little enough that what is read again has to be fetched. */
const localBytes = "64MiB";
const rotateSeconds = 5;

export class Machine {
  readonly number: number;
  readonly server: TestServer;
  /** The links of this server to the engines. */
  readonly links: Readonly<Record<Engine, TcpProxy>>;
  /** Its ports stay the same: HAProxy has to find it again after a restart. */
  readonly origin: string;
  readonly grpcPort: number;
  /** From the beginning of a start until it is ready. */
  longestStartMs = 0;
  /** What its earlier runs said. */
  #log = "";

  constructor(number: number, server: TestServer, links: Machine["links"]) {
    this.number = number;
    this.server = server;
    this.links = links;
    this.origin = server.httpBase;
    this.grpcPort = server.grpcPort;
  }

  get name(): string {
    return `server ${this.number}`;
  }

  get log(): string {
    return this.#log + this.server.log;
  }

  async kill9(): Promise<void> {
    await this.server.kill9();
    this.#keepLog();
  }

  async stop(): Promise<void> {
    try {
      await this.server.stop();
    } finally {
      this.#keepLog();
    }
  }

  /** Starts it again, however long a busy machine takes for it. */
  async restart(): Promise<void> {
    const began = performance.now();
    await until(`${this.name} starts`, restartLimitMs, async () => {
      return await this.server.restart().then(
        () => true,
        () => {
          this.#keepLog();
          return false;
        },
      );
    });
    this.longestStartMs = Math.max(this.longestStartMs, performance.now() - began);
  }

  #keepLog(): void {
    this.#log += `${this.server.log}\n--- ended ---\n`;
  }
}

export class Machines implements AsyncDisposable {
  readonly store: ObjectStore;
  /** Of the database, past all links. */
  readonly catalogUrl: string;
  readonly all: readonly Machine[];
  readonly proxy: Haproxy;
  readonly #opened: AsyncDisposableStack;
  #logs: string | undefined;

  static async open(count: number, { clocksDiffer = false }: MachineOptions = {}): Promise<Machines> {
    await using opened = new AsyncDisposableStack();
    const postgres = opened.use(PostgresServer.start());
    const catalogUrl = postgres.createSchema();
    const nats = opened.use(await NatsServer.start());
    const store = opened.use(await ObjectStore.start());
    const clockLibrary = clocksDiffer && canPreload ? openClockLibrary(opened) : undefined;
    const ports = {
      postgres: Number(new URL(catalogUrl).port),
      nats: nats.port,
      s3: Number(new URL(store.flags["archive-endpoint"]!).port),
    };
    const all: Machine[] = [];
    for (let at = 0; at < count; at += 1) {
      const links = {
        postgres: opened.use(await TcpProxy.open(ports.postgres)),
        nats: opened.use(await TcpProxy.open(ports.nats)),
        s3: opened.use(await TcpProxy.open(ports.s3)),
      };
      const ahead = clockLibrary === undefined ? 0 : aheadSeconds[at % aheadSeconds.length]!;
      const clock: Record<string, string> =
        clockLibrary === undefined || ahead === 0
          ? {}
          : { LD_PRELOAD: clockLibrary, CLOCK_AHEAD_SECONDS: String(ahead) };
      const server = await startServer(links, catalogUrl, store, clock);
      opened.defer(() => server.dispose());
      all.push(new Machine(at + 1, server, links));
    }
    const balanced = all.map(({ origin, grpcPort }) => ({
      main: Number(new URL(origin).port),
      grpc: grpcPort,
    }));
    const proxy = opened.use(await Haproxy.start(balanced, ["-q"]));
    return new Machines(store, catalogUrl, all, proxy, opened.move());
  }

  private constructor(
    store: ObjectStore,
    catalogUrl: string,
    all: readonly Machine[],
    proxy: Haproxy,
    opened: AsyncDisposableStack,
  ) {
    this.store = store;
    this.catalogUrl = catalogUrl;
    this.all = all;
    this.proxy = proxy;
    this.#opened = opened;
  }

  /** Writes the logs of all servers so far into a folder that stays, and returns its path. */
  keepLogs(): string {
    this.#logs ??= mkdtempSync(join(tmpdir(), "wavecache-cluster-logs-"));
    for (const { number, log } of this.all) writeFileSync(join(this.#logs, `server-${number}.log`), log);
    return this.#logs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

function openClockLibrary(opened: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), "wavecache-clock-"));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  return compileLibrary("clock.c", folder);
}

async function startServer(
  links: Machine["links"],
  catalogUrl: string,
  store: ObjectStore,
  clock: Record<string, string>,
): Promise<TestServer> {
  const catalog = new URL(catalogUrl);
  catalog.port = String(links.postgres.port);
  return await TestServer.start({
    flags: {
      port: freePort(),
      "grpc-port": freePort(),
      catalog: catalog.href,
      "nats-urls": `nats://127.0.0.1:${links.nats.port}`,
      ...store.flags,
      "archive-endpoint": `http://127.0.0.1:${links.s3.port}`,
      "archive-local-bytes": localBytes,
      acknowledge: "archived",
      "rotate-seconds": rotateSeconds,
      "trust-proxy": "127.0.0.0/8",
    },
    env: { ...store.env, WAVECACHE_FLASH: "no", ...clock },
  });
}
