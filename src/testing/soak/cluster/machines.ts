/**
 * Several servers on one machine, with a PostgreSQL, a NATS server and an object store that they share, behind HAProxy.
 * Each server reaches each engine through a proxy of its own, so that it can be cut off alone.
 */
import { freePort } from "../../harness/free-port.ts";
import { Haproxy } from "../../harness/servers/haproxy.ts";
import { NatsServer } from "../../harness/servers/nats-server.ts";
import { ObjectStore } from "../../harness/servers/object-store.ts";
import { PostgresServer } from "../../harness/servers/postgres.ts";
import { TestServer } from "../../harness/server.ts";
import { TcpProxy } from "../../harness/tcp-proxy.ts";

export type Engine = "postgres" | "nats" | "s3";
export const engines: readonly Engine[] = ["postgres", "nats", "s3"];

export interface Machine {
  readonly server: TestServer;
  /** The links of this server to the engines. */
  readonly links: Readonly<Record<Engine, TcpProxy>>;
}

export class Machines implements AsyncDisposable {
  readonly store: ObjectStore;
  readonly all: readonly Machine[];
  readonly proxy: Haproxy;
  readonly #opened: AsyncDisposableStack;

  static async open(count: number): Promise<Machines> {
    await using opened = new AsyncDisposableStack();
    const postgres = opened.use(PostgresServer.start());
    const schema = new URL(postgres.createSchema());
    const nats = opened.use(await NatsServer.start());
    const store = opened.use(await ObjectStore.start());
    const ports = {
      postgres: Number(schema.port),
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
      const server = await startServer(links, schema, store);
      opened.defer(() => server.dispose());
      all.push({ server, links });
    }
    const proxy = opened.use(await Haproxy.start(all.map(({ server }) => portsOf(server))));
    return new Machines(store, all, proxy, opened.move());
  }

  private constructor(
    store: ObjectStore,
    all: readonly Machine[],
    proxy: Haproxy,
    opened: AsyncDisposableStack,
  ) {
    this.store = store;
    this.all = all;
    this.proxy = proxy;
    this.#opened = opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

async function startServer(
  links: Machine["links"],
  schema: Readonly<URL>,
  store: ObjectStore,
): Promise<TestServer> {
  const catalog = new URL(schema);
  catalog.port = String(links.postgres.port);
  return await TestServer.start({
    flags: {
      // HAProxy has to find it again after a restart.
      port: freePort(),
      "grpc-port": freePort(),
      catalog: catalog.href,
      "nats-urls": `nats://127.0.0.1:${links.nats.port}`,
      ...store.flags,
      "archive-endpoint": `http://127.0.0.1:${links.s3.port}`,
      acknowledge: "archived",
      "trust-proxy": "127.0.0.0/8",
    },
    env: store.env,
  });
}

function portsOf(server: TestServer): { main: number; grpc: number } {
  return { main: Number(new URL(server.httpBase).port), grpc: server.grpcPort };
}
