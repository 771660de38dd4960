/**
 * The gateway to an MQTT broker: events as they happen, at least once and in order for each subject, the state of devices
 * as retained topics, and commands to devices. What the broker has not taken stays in the outbox of events.
 */
import { mqttButtonMaxAgeMs, mqttRetry } from "../../base/limits/mqtt.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { readServiceCredentials } from "../../base/system/credentials.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import { cloudEvent } from "../../engine/events/cloud-event.ts";
import { configHash } from "../../engine/events/delivery/consumer-claims.ts";
import { Deliveries, type DeliveryBase } from "../../engine/events/delivery/deliveries.ts";
import { EventFilter } from "../../engine/events/event-filter.ts";
import type { EventData } from "../../store/events/types.ts";
import type { EventRow } from "../../store/events/outbox.ts";
import { type IncomingMessage, MqttConnection } from "./connection.ts";
import { DeviceStates, type MqttCommands, type MqttDevices, obey } from "./device-states.ts";
import type { DiscoverySettings } from "./discovery.ts";
import { type MqttRecordings, RecorderStates } from "./recorder-states.ts";
import { type Message, RetainedStates } from "./retained-states.ts";
import { Topics } from "./topics.ts";

export interface MqttSettings {
  url: string;
  /** Of all topics of this server. */
  prefix: string;
  credentialsFile: string | undefined;
  /** The prefix of Home Assistant; undefined for no discovery. */
  discoveryPrefix: string | undefined;
  version: string;
}

/** What the gateway needs of the engine. */
export interface MqttEngine extends DeliveryBase {
  devices: MqttCommands;
  allDevices: MqttDevices;
  recordings: MqttRecordings;
}

export interface MqttFigures {
  isConnected: boolean;
  connects: number;
  delivered: number;
  failed: number;
  dead: number;
  missed: number;
  pending: number;
}

export class MqttGateway {
  readonly #settings: MqttSettings;
  readonly #topics: Topics;
  readonly #engine: MqttEngine;
  readonly #log: Log;
  readonly #rateLimitedLog: RateLimitedLog;
  readonly #deliveries: Deliveries;
  readonly #recorders: RecorderStates;
  readonly #deviceStates: RetainedStates;
  readonly #recorderStates: RetainedStates;
  #connection: MqttConnection | undefined;
  #unwatch: () => void = () => {};
  /** Devices that record, as the broker had it when it was connected. */
  readonly #heard = new Set<string>();
  #isClosing = false;

  constructor(engine: MqttEngine, settings: MqttSettings, log: Log) {
    this.#engine = engine;
    this.#settings = settings;
    this.#topics = new Topics(settings.prefix);
    this.#log = log;
    this.#rateLimitedLog = new RateLimitedLog(log);
    const discovery = discoveryOf(settings, this.#topics);
    const publish = (topic: string, payload: string, isRetained: boolean) =>
      this.#connection!.publish(topic, payload, isRetained);
    const deviceTopics = new DeviceStates(engine.allDevices, this.#topics, discovery);
    this.#recorders = new RecorderStates(engine.recordings, this.#topics, discovery);
    this.#deviceStates = new RetainedStates(deviceTopics, publish, this.#rateLimitedLog);
    this.#recorderStates = new RetainedStates(this.#recorders, publish, this.#rateLimitedLog);
    const delivery = {
      consumer: "mqtt",
      config: () => configHash(settings.url, settings.prefix),
      filter: new EventFilter(),
      retry: mqttRetry,
      owned: () => this.#owned(),
      deliver: (event: EventRow, signal: AbortSignal) => this.#deliver(event, signal),
    };
    this.#deliveries = new Deliveries(engine, delivery, log);
  }

  /** Its name in the catalog. */
  get consumer(): string {
    return this.#deliveries.settings.consumer;
  }

  get figures(): MqttFigures {
    const { isConnected = false, connects = 0 } = this.#connection ?? {};
    return { isConnected, connects, ...this.#deliveries.figures, pending: this.#deliveries.pending };
  }

  /** Call it once the engine is open. Rejects with CREDENTIALS_UNUSABLE; a broker that is down is tried again. */
  async open(): Promise<void> {
    const { url, credentialsFile } = this.#settings;
    const settings = {
      url,
      topics: this.#topics,
      credentials:
        credentialsFile === undefined ? undefined : await readServiceCredentials(credentialsFile, this.#log),
      onConnect: () => this.#showAll(),
      onMessage: (message: IncomingMessage) => this.#receive(message),
    };
    this.#connection = await MqttConnection.open(settings, this.#log);
    this.#unwatch = this.#engine.allDevices.watch((deviceId) => this.#mark(deviceId));
    this.#recorders.open(
      (device) => this.#recorderStates.mark(device),
      (level) => this.#sendLevel(level),
    );
    await this.#deliveries.open();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#unwatch();
    this.#recorders.close();
    this.#deviceStates.close();
    this.#recorderStates.close();
    await this.#deliveries.close();
    await this.#connection?.close();
  }

  #showAll(): void {
    this.#showDevices();
    this.#recorderStates.markAll(this.#recorders.ids());
  }

  #showDevices(): void {
    const ids = [...this.#engine.allDevices.ids()].filter((deviceId) => this.#isOurs(deviceId));
    this.#deviceStates.markAll(ids);
  }

  #mark(deviceId: string): void {
    if (this.#isOurs(deviceId)) this.#deviceStates.mark(deviceId);
    else this.#deviceStates.forget(deviceId);
  }

  /**
   * One node shows a device and takes its commands: the one that it is connected to, and otherwise the one that publishes the
   * events.
   */
  #isOurs(deviceId: string): boolean {
    const { allDevices } = this.#engine;
    const device = allDevices.peek(deviceId);
    if (device?.connectedAt === undefined) return this.#deliveries.epoch > 0;
    return device.node === allDevices.node;
  }

  #receive(message: IncomingMessage): void {
    if (message.topic === this.#topics.status) return this.#hearStatus(message);
    const { id = "", what } = this.#topics.parse(message.topic) ?? {};
    if (what !== "recording") {
      if (this.#isOurs(id)) void obey(this.#engine.devices, this.#topics, message, this.#rateLimitedLog);
    } else if (message.isRetained && message.payload === "ON") {
      this.#heard.add(id);
      if (this.#deliveries.epoch > 0) void this.#endRecordings();
    }
  }

  #owned(): void {
    this.#showDevices();
    void this.#endRecordings();
  }

  /** Recordings that the broker knows of and no node makes. Never rejects. */
  async #endRecordings(): Promise<void> {
    const { allDevices } = this.#engine;
    await allDevices.complete();
    const running = new Set(Array.from(allDevices.running(), ({ hwid }) => hwid));
    for (const device of this.#heard) if (!running.has(device)) this.#recorders.heard(device);
    this.#heard.clear();
  }

  /** Another node has ended: this one is still there. */
  #hearStatus({ payload }: IncomingMessage): void {
    if (payload !== "offline" || this.#isClosing) return;
    this.#connection!.publish(this.#topics.status, "online", true).catch((error: unknown) =>
      this.#rateLimitedLog.warn("the MQTT broker does not take a state", { id: "status", error }),
    );
  }

  async #sendLevel({ topic, payload }: Message): Promise<void> {
    try {
      await this.#connection?.publishOnce(topic, payload);
    } catch (error) {
      this.#rateLimitedLog.warn("the MQTT broker does not take a level", { error });
    }
  }

  /** Waits for a broker that is down: what is delivered at once, and what was read, is bounded. */
  async #deliver(event: EventRow, signal: AbortSignal): Promise<void> {
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = () => reject(new Error("the server ends"));
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#publish(event), aborted]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #publish(event: EventRow): Promise<void> {
    const { type, subject, at, data } = event;
    await this.#connection!.publish(this.#topics.event(type, subject), cloudEvent(event), false);
    if (type !== "device.button" || sharedNow() - at > mqttButtonMaxAgeMs) return;
    const { deviceId, button, event: press } = JSON.parse(data) as EventData<"device.button">;
    const payload = JSON.stringify({ event_type: press });
    await this.#connection!.publish(this.#topics.button(deviceId, button), payload, false);
  }
}

function discoveryOf({ discoveryPrefix, prefix, version }: MqttSettings, topics: Topics) {
  if (discoveryPrefix === undefined) return undefined;
  const settings: DiscoverySettings = { prefix: discoveryPrefix, topics, server: prefix, version };
  return settings;
}
