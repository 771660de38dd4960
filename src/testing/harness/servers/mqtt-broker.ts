/** A real MQTT broker (mosquitto) in a process of its own, which can be killed and started again on its port. */
import { freePort } from "../free-port.ts";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";

const program = "/usr/sbin/mosquitto";
const limitMs = 10_000;

/** Where it is missing, tests of it cannot run. */
export const hasMqttBroker = existsSync(program);

export interface BrokerMessage {
  topic: string;
  payload: string;
  retained: boolean;
}

export class MqttBroker implements AsyncDisposable {
  readonly port: number;
  readonly #config: string;
  readonly #isTls: boolean;
  #process: Bun.Subprocess<"ignore", "ignore", "ignore"> | undefined;

  /** `lines` are further lines of its configuration. */
  static async start(folder: string, lines: string[] = ["allow_anonymous true"]): Promise<MqttBroker> {
    const broker = new MqttBroker(folder, freePort(), lines);
    await broker.restart();
    return broker;
  }

  private constructor(folder: string, port: number, lines: string[]) {
    this.port = port;
    this.#config = join(folder, "mosquitto.conf");
    this.#isTls = lines.some((line) => line.startsWith("certfile "));
    const listener = [`listener ${port} 127.0.0.1`, "persistence false", "max_queued_messages 0"];
    // As root it would change to a user that may not read the folder.
    writeFileSync(this.#config, [...listener, "user root", ...lines, ""].join("\n"));
  }

  get url(): string {
    return `${this.#isTls ? "mqtts" : "mqtt"}://127.0.0.1:${this.port}`;
  }

  async restart(): Promise<void> {
    const output = { stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const;
    this.#process = Bun.spawn([program, "-c", this.#config], output);
    await until("the broker listens", limitMs, () => isOpen(this.port));
  }

  /** What it had retained is lost. */
  async kill9(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
  }
}

/** A client that keeps all messages below a topic. */
export class BrokerPeer implements AsyncDisposable {
  readonly messages: BrokerMessage[] = [];
  readonly #client: MqttClient;

  static async open(broker: MqttBroker, options: IClientOptions = {}): Promise<BrokerPeer> {
    const client = await connectAsync(broker.url, { reconnectPeriod: 50, ...options });
    const peer = new BrokerPeer(client);
    await client.subscribeAsync("#", { qos: 1 });
    return peer;
  }

  private constructor(client: MqttClient) {
    this.#client = client;
    // The broker is down for a part of a test.
    client.on("error", () => {});
    client.on("message", (topic, payload, { retain: retained }) => {
      this.messages.push({ topic, payload: payload.toString(), retained });
    });
  }

  /** The payloads of a topic, in their order. */
  of(topic: string): string[] {
    return this.messages.filter((message) => message.topic === topic).map(({ payload }) => payload);
  }

  /** Resolves with the newest payload of a topic, once `matches` holds for it. */
  async until(topic: string, matches: (payload: string) => boolean): Promise<string> {
    const newest = () => this.of(topic).at(-1);
    return await until(
      topic,
      limitMs,
      () => (newest() !== undefined && matches(newest()!) ? newest() : undefined),
      () => `newest: ${newest()}`,
    );
  }

  async publish(topic: string, payload: string, retain = false): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}

async function isOpen(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
