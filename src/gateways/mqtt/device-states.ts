/** Devices as retained topics: their state, whether they are there, and what Home Assistant discovers. */
import { WavecacheError } from "../../base/errors.ts";
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

/** What the gateway needs of the engine's devices. */
export interface MqttDevices {
  /** Calls back with the id of each device that may have changed, until the result is called. */
  watch(onChange: (deviceId: string) => void): () => void;
  ids(): Iterable<string>;
  /** Throws DEVICE_UNKNOWN. The other ones do, too. */
  find(deviceId: string): DeviceState;
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
    const device = this.#find(deviceId);
    if (device === undefined) return undefined;
    const availability = device.connectedAt === undefined ? "offline" : "online";
    return {
      configs: this.#discovery === undefined ? [] : [deviceDiscovery(this.#discovery, deviceId)],
      states: [
        { topic: this.#topics.device(deviceId, "state"), payload: JSON.stringify(stateOf(device)) },
        { topic: this.#topics.device(deviceId, "availability"), payload: availability },
      ],
    };
  }

  topics(deviceId: string): string[] {
    const states = [this.#topics.device(deviceId, "state"), this.#topics.device(deviceId, "availability")];
    if (this.#discovery === undefined) return states;
    return [discoveryTopic(this.#discovery, "device", deviceId), ...states];
  }

  #find(deviceId: string): DeviceState | undefined {
    try {
      return this.#devices.find(deviceId);
    } catch (error) {
      if (error instanceof WavecacheError && error.code === "DEVICE_UNKNOWN") return undefined;
      throw error;
    }
  }
}

/** Carries out a command that came by one of the topics of commands. */
export async function obey(
  devices: MqttDevices,
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
