/**
 * The connection to the broker, by MQTT 5. It connects again by itself. A message that the broker has not acknowledged is
 * sent again over the next connection, so callers bound what they publish at once by awaiting it.
 */
import type { IClientOptions, MqttClient } from "mqtt";
import {
  maxMqttPacketBytes,
  mqttConnectTimeoutMs,
  mqttGoodbyeMs,
  mqttKeepaliveSeconds,
  mqttReconnectMs,
} from "../../base/limits/mqtt.ts";
import type { Log } from "../../base/log/log.ts";
import type { ServiceCredentials } from "../../base/system/credentials.ts";
import type { Topics } from "./topics.ts";

export interface IncomingMessage {
  topic: string;
  payload: string;
  /** The broker had kept it: it is older than the subscription. */
  isRetained: boolean;
}

export interface ConnectionSettings {
  url: string;
  credentials: ServiceCredentials | undefined;
  topics: Topics;
  /** Called after each connection. The broker may have lost what it had retained. */
  onConnect: () => void;
  onMessage: (message: IncomingMessage) => void;
}

export class MqttConnection {
  isConnected = false;
  /** Connections since the start. */
  connects = 0;
  readonly #client: MqttClient;
  readonly #settings: ConnectionSettings;
  readonly #log: Log;
  #hasFailed = false;

  private constructor(client: MqttClient, settings: ConnectionSettings, log: Log) {
    this.#client = client;
    this.#settings = settings;
    this.#log = log;
    client.on("connect", () => void this.#connected());
    client.on("close", () => this.#closed());
    client.on("error", (error) => this.#failed(error));
    client.on("message", (topic, payload, { retain }) => {
      settings.onMessage({ topic, payload: payload.toString("utf8"), isRetained: retain });
    });
  }

  /** Begins to connect, and returns at once: a broker that is down is not needed for a start. */
  static async open(settings: ConnectionSettings, log: Log): Promise<MqttConnection> {
    // Most servers have no broker: they need not load this.
    const { connect } = await import("mqtt");
    return new MqttConnection(connect(settings.url, clientOptions(settings)), settings, log);
  }

  /** Resolves once the broker has acknowledged it, perhaps over a later connection. Rejects if the broker refuses it. */
  async publish(topic: string, payload: string, isRetained: boolean): Promise<void> {
    await this.#client.publishAsync(topic, payload, { qos: 1, retain: isRetained });
  }

  /** Sends it once, without an acknowledgement. Nothing happens without a connection. */
  async publishOnce(topic: string, payload: string): Promise<void> {
    if (this.isConnected) await this.#client.publishAsync(topic, payload, { qos: 0 });
  }

  /** Says goodbye, if the broker takes it. What is not acknowledged stays so. */
  async close(): Promise<void> {
    if (this.isConnected) {
      const farewell = this.publish(this.#settings.topics.status, "offline", true);
      await Promise.race([farewell, Bun.sleep(mqttGoodbyeMs)]).catch((error: unknown) => this.#failed(error));
    }
    await this.#client.endAsync(true);
  }

  async #connected(): Promise<void> {
    const { url, topics, onConnect } = this.#settings;
    this.isConnected = true;
    this.#hasFailed = false;
    this.connects += 1;
    this.#log.info("connected to the MQTT broker", { url });
    try {
      await this.#client.subscribeAsync([...topics.commands, topics.recorders, topics.status], { qos: 1 });
      onConnect();
      await this.publish(topics.status, "online", true);
    } catch (error) {
      this.#log.warn("the MQTT broker refuses to serve this server", { error });
    }
  }

  #closed(): void {
    if (this.isConnected) this.#log.warn("the connection to the MQTT broker is lost");
    this.isConnected = false;
  }

  /** Once in a row: the next tries mostly fail alike. */
  #failed(error: unknown): void {
    if (!this.#hasFailed)
      this.#log.warn("the MQTT broker cannot be reached; the next tries are silent", { error });
    this.#hasFailed = true;
  }
}

function clientOptions({ credentials, topics }: ConnectionSettings): IClientOptions {
  return {
    ...credentials,
    protocolVersion: 5,
    properties: { maximumPacketSize: maxMqttPacketBytes },
    clean: true,
    // Subscriptions are part of what happens after each connection.
    resubscribe: false,
    queueQoSZero: false,
    reconnectPeriod: mqttReconnectMs,
    connectTimeout: mqttConnectTimeoutMs,
    keepalive: mqttKeepaliveSeconds,
    will: { topic: topics.status, payload: Buffer.from("offline"), qos: 1, retain: true },
  };
}
