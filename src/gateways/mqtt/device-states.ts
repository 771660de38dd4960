/** Devices as retained topics: their state, whether they are there, and what Home Assistant discovers. */
import type { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { deviceDiscovery, type DiscoverySettings, discoveryTopic } from "./discovery.ts";
import type { Described, Description } from "./retained-states.ts";
import type { IncomingMessage } from "./connection.ts";
import type { Topics } from "./topics.ts";

/** A device, as far as the topics show it. LEDs are 0xRRGGBBAA. */
export interface DeviceState {
  deviceId: string;
  /** Undefined while it is away. */
  connectedAt: number | undefined;
  mode: number;
  /** The mode whose sound plays. */
  playing: number | undefined;
  leds: readonly number[];
  report: { pressed: boolean[]; battery: number | null } | undefined;
}

/** The devices of all nodes. */
export interface MqttDevices {
  /** The id of this node; null on a single machine. */
  readonly node: string | null;
  /** Calls back with the id of each device that may have changed, until the result is called. */
  watch(onChange: (deviceId: string) => void): () => void;
  ids(): Iterable<string>;
  /** Undefined if no node knows it. */
  peek(deviceId: string): (DeviceState & { node: string | null }) | undefined;
  /** What is recorded now. */
  running(): Iterable<{ readonly hwid: string | null }>;
  /** Resolves once all nodes have told of theirs, or after a time limit. */
  complete(): Promise<void>;
}

/** The devices of this node. All throw DEVICE_UNKNOWN. */
export interface MqttCommands {
  setMode(deviceId: string, mode: number): unknown;
  act(deviceId: string, action: "stop" | "mode"): unknown;
  /** Also throws DEVICE_AWAY, or why the sound cannot be played. */
  play(deviceId: string): Promise<unknown>;
}

export class DeviceStates implements Described {
  readonly #devices: MqttDevices;
  readonly #topics: Topics;
  readonly #discovery: DiscoverySettings | undefined;

  constructor(devices: MqttDevices, topics: Topics, discovery: DiscoverySettings | undefined) {
    this.#devices = devices;
    this.#topics = topics;
    this.#discovery = discovery;
  }

  describe(deviceId: string): Description | undefined {
    const device = this.#devices.peek(deviceId);
    const payload = device?.connectedAt === undefined ? "offline" : "online";
    const availability = { topic: this.#topics.device(deviceId, "availability"), payload };
    // A node that has died has taken along what it knew of the device, which comes again at another.
    if (device === undefined)
      return this.#devices.node === null ? undefined : { configs: [], states: [availability] };
    return {
      configs: this.#discovery === undefined ? [] : [deviceDiscovery(this.#discovery, deviceId)],
      states: [
        { topic: this.#topics.device(deviceId, "state"), payload: JSON.stringify(stateOf(device)) },
        availability,
      ],
    };
  }

  topics(deviceId: string): string[] {
    const states = [this.#topics.device(deviceId, "state"), this.#topics.device(deviceId, "availability")];
    if (this.#discovery === undefined) return states;
    return [discoveryTopic(this.#discovery, "device", deviceId), ...states];
  }
}

/** Carries out a command that came by one of the topics of commands. */
export async function obey(
  devices: MqttCommands,
  topics: Topics,
  { topic, payload, isRetained }: IncomingMessage,
  log: RateLimitedLog,
): Promise<void> {
  // The broker would repeat a retained command at each connection.
  if (isRetained) return log.warn("a retained command by MQTT was ignored", { topic });
  const { id, what } = topics.parse(topic) ?? { id: "", what: "" };
  try {
    if (what === "mode/set" && /^[0-5]$/.test(payload)) devices.setMode(id, Number(payload));
    else if (what === "action" && payload === "play") await devices.play(id);
    else if (what === "action" && (payload === "stop" || payload === "mode")) devices.act(id, payload);
    else log.warn("an unknown command came by MQTT", { topic, payload: payload.slice(0, maxLoggedChars) });
  } catch (error) {
    log.warn("a command by MQTT failed", { topic, error });
  }
}

const maxLoggedChars = 64;

function stateOf({ connectedAt, mode, playing, leds, report }: DeviceState): object {
  return {
    connected: connectedAt !== undefined,
    mode,
    playing: playing ?? null,
    leds: leds.map((rgba) => `#${rgba.toString(16).toUpperCase().padStart(8, "0")}`),
    battery: report?.battery ?? null,
    pressed: report?.pressed ?? null,
  };
}
