/** A real NATS server in a process of its own, which can be killed, stopped and started again on its port. */
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";

const program = Bun.which("nats-server") ?? Bun.which("nats-server", { PATH: "/usr/sbin:/usr/local/sbin" });
const limitMs = 10_000;

/** Where it is missing, tests of it cannot run. */
export const hasNatsServer = program !== null;

export class NatsServer implements AsyncDisposable {
  readonly port = freePort();
  readonly #flags: string[];
  #process: Bun.Subprocess<"ignore", "ignore", "ignore"> | undefined;

  static async start(flags: string[] = []): Promise<NatsServer> {
    const server = new NatsServer(flags);
    await server.restart();
    return server;
  }

  private constructor(flags: string[]) {
    this.#flags = flags;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process!.pid;
  }

  async restart(): Promise<void> {
    const command = [program!, "--addr", "127.0.0.1", "--port", String(this.port), ...this.#flags];
    this.#process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    await until("the NATS server listens", limitMs, () => isOpen(this.port));
  }

  async kill9(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  /** Connections stay open, and nothing is answered. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
  }
}

async function isOpen(port: number): Promise<boolean> {
  try {
    (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } })).end();
    return true;
  } catch {
    return false;
  }
}
