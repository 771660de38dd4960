/** A real HAProxy in front of several servers, with the configuration of deploy/cluster/. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";

const program = Bun.which("haproxy") ?? Bun.which("haproxy", { PATH: "/usr/sbin:/usr/local/sbin" });
const limitMs = 10_000;
const configuration = join(import.meta.dir, "../../../../deploy/cluster/haproxy.cfg");

/** Where it is missing, tests of it cannot run. */
export const hasHaproxy = program !== null;

/** The ports of a server. */
export interface BalancedNode {
  main: number;
  grpc: number;
}

export class Haproxy implements AsyncDisposable {
  readonly origin: string;
  readonly grpcPort = freePort();
  readonly #folder = mkdtempSync(join(tmpdir(), "wavecache-haproxy-"));
  readonly #process: Bun.Subprocess<"ignore", "ignore", "inherit">;

  /** Resolves once it has seen that the servers are ready. */
  static async start(nodes: readonly BalancedNode[], flags: readonly string[] = []): Promise<Haproxy> {
    const proxy = new Haproxy(nodes, flags);
    await until("HAProxy has a server", limitMs, async () => {
      const answer = await fetch(`${proxy.origin}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    });
    return proxy;
  }

  private constructor(nodes: readonly BalancedNode[], flags: readonly string[]) {
    const main = freePort();
    this.origin = `http://127.0.0.1:${main}`;
    const file = join(this.#folder, "haproxy.cfg");
    writeFileSync(file, withPorts(readFileSync(configuration, "utf8"), main, this.grpcPort, nodes));
    const command = [program!, "-db", "-f", file, ...flags];
    this.#process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The same configuration on one machine, for these nodes. The other ports are not tried, and get any address. */
function withPorts(text: string, main: number, grpc: number, nodes: readonly BalancedNode[]): string {
  const bound: Record<string, number> = { 8080: main, 50051: grpc };
  return text
    .replace(/bind :(\d+)/g, (_, port: string) => `bind 127.0.0.1:${bound[port] ?? freePort()}`)
    .replace(/( *)server node1 node1:(\d+)\n *server node2 .*/g, (_, indent: string, port: string) =>
      nodes.map((node, at) => `${indent}server node${at + 1} ${addressOf(node, port)}`).join("\n"),
    );
}

function addressOf({ main, grpc }: BalancedNode, port: string): string {
  return `127.0.0.1:${port === "50051" ? grpc : main} port ${main}`;
}
