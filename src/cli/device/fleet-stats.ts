/** Statistics of a fleet of simulated devices. */
import { Lateness } from "../../base/lateness.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";
import type { DeviceEvent } from "./events.ts";

export class FleetStats {
  /** The device ids without their numbers. */
  readonly #baseId: string;
  readonly #devices: number;
  /** Numbers of the devices that connected at least once. */
  readonly #connected = new Set<number>();
  readonly #ackMs = new Lateness();
  readonly #lateMs = new Lateness();
  #lostConnections = 0;
  /** How often a server set the LEDs of a device. */
  #sets = 0;
  #sounds = 0;
  #playing = 0;
  #bytes = 0;

  constructor(baseId: string, devices: number) {
    this.#baseId = baseId;
    this.#devices = devices;
  }

  add(deviceNumber: number, event: DeviceEvent): void {
    switch (event.type) {
      case "connected":
        this.#connected.add(deviceNumber);
        break;
      case "lost":
        this.#lostConnections++;
        break;
      case "leds":
        this.#sets++;
        break;
      case "acked":
        this.#ackMs.add(event.ms);
        break;
      case "sound-start":
        this.#sounds++;
        this.#playing++;
        break;
      case "sound-end":
        this.#playing--;
        break;
      case "packet":
        this.#bytes += event.data.length;
        this.#lateMs.add(event.lateMs);
        break;
    }
  }

  /** "12.0 s  100 devices  100 connected  20 play  5000 packets". */
  liveLine(elapsedMs: number): string {
    const parts = [
      `${(elapsedMs / 1000).toFixed(1)} s`,
      `${this.#devices} devices`,
      `${this.#connected.size} connected`,
      `${this.#playing} play`,
      `${this.#lateMs.count} packets`,
    ];
    return parts.join("  ");
  }

  /** For --json; milliseconds are rounded up to whole numbers. */
  object(failed: number, elapsedMs: number) {
    return {
      devices: this.#devices,
      connected: this.#connected.size,
      failed,
      seconds: Math.round(elapsedMs) / 1000,
      sets: this.#sets,
      acknowledged: this.#ackMs.count,
      ackMs: percentilesOf(this.#ackMs),
      sounds: this.#sounds,
      packets: this.#lateMs.count,
      bytes: this.#bytes,
      latePackets: this.#lateMs.over(0),
      lateMs: percentilesOf(this.#lateMs),
      lostConnections: this.#lostConnections,
    };
  }

  lines(failed: number, elapsedMs: number): string[] {
    const late = this.#lateMs;
    const last = `${this.#baseId}-${this.#devices}`;
    const rows = [
      ["Devices", `${this.#devices} (${this.#baseId}-1 to ${last}), ${this.#connected.size} connected`],
      ["Time", humanDuration(elapsedMs)],
      ["LEDs", `set ${this.#sets} times`],
      ["Buttons", `${this.#ackMs.count} events acknowledged, ${percentilesText(this.#ackMs)}`],
      ["Sounds", `${this.#sounds}: ${late.count} packets, ${humanBytes(this.#bytes)}`],
      ["Late", `${late.over(0)} packets, ${percentilesText(late)}`],
    ];
    if (this.#lostConnections > 0) rows.push(["Lost", `${this.#lostConnections} connections`]);
    const result = failed === 0 ? "all did what they were to do" : `${failed} of ${this.#devices} FAILED`;
    return table([...rows, ["Result", result]]);
  }
}

function percentilesOf(lateness: Lateness) {
  return {
    p50: lateness.percentileMs(0.5),
    p99: lateness.percentileMs(0.99),
    max: Math.ceil(lateness.maxMs),
  };
}

function percentilesText(lateness: Lateness): string {
  const { p50, p99, max } = percentilesOf(lateness);
  return `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
}
