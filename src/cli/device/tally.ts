/** What many devices have come to, added up. */
import { Lateness } from "../../base/lateness.ts";
import type { DeviceNews } from "./lines.ts";
import { humanBytes, humanDuration, table } from "../kit/text.ts";

export class DeviceTally {
  /** Of the device ids, without the number behind each. */
  readonly #baseId: string;
  readonly #devices: number;
  readonly #connected = new Set<number>();
  readonly #ackMs = new Lateness();
  readonly #lateMs = new Lateness();
  #lost = 0;
  #sets = 0;
  #sounds = 0;
  #playing = 0;
  #bytes = 0;

  constructor(baseId: string, devices: number) {
    this.#baseId = baseId;
    this.#devices = devices;
  }

  /** `device` is its number. */
  add(device: number, news: DeviceNews): void {
    switch (news.type) {
      case "connected":
        this.#connected.add(device);
        break;
      case "lost":
        this.#lost++;
        break;
      case "leds":
        this.#sets++;
        break;
      case "acked":
        this.#ackMs.add(news.ms);
        break;
      case "sound-start":
        this.#sounds++;
        this.#playing++;
        break;
      case "sound-end":
        this.#playing--;
        break;
      case "packet":
        this.#bytes += news.data.length;
        this.#lateMs.add(news.lateMs);
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

  /** Milliseconds are rounded up to whole ones. */
  object(failed: number, elapsedMs: number) {
    return {
      devices: this.#devices,
      connected: this.#connected.size,
      failed,
      seconds: Math.round(elapsedMs) / 1000,
      sets: this.#sets,
      acknowledged: this.#ackMs.count,
      ackMs: sharesOf(this.#ackMs),
      sounds: this.#sounds,
      packets: this.#lateMs.count,
      bytes: this.#bytes,
      latePackets: this.#lateMs.over(0),
      lateMs: sharesOf(this.#lateMs),
      lostConnections: this.#lost,
    };
  }

  lines(failed: number, elapsedMs: number): string[] {
    const late = this.#lateMs;
    const last = `${this.#baseId}-${this.#devices}`;
    const rows = [
      ["Devices", `${this.#devices} (${this.#baseId}-1 to ${last}), ${this.#connected.size} connected`],
      ["Time", humanDuration(elapsedMs)],
      ["LEDs", `set ${this.#sets} times`],
      ["Buttons", `${this.#ackMs.count} events acknowledged, ${sharesText(this.#ackMs)}`],
      ["Sounds", `${this.#sounds}: ${late.count} packets, ${humanBytes(this.#bytes)}`],
      ["Late", `${late.over(0)} packets, ${sharesText(late)}`],
    ];
    if (this.#lost > 0) rows.push(["Lost", `${this.#lost} connections`]);
    rows.push([
      "Result",
      failed === 0 ? "all did what they were to do" : `${failed} of ${this.#devices} FAILED`,
    ]);
    return table(rows);
  }
}

function sharesOf(lateness: Lateness) {
  const { maxMs } = lateness;
  return {
    p50: lateness.percentileMs(0.5),
    p99: lateness.percentileMs(0.99),
    max: Math.ceil(maxMs),
  };
}

function sharesText(lateness: Lateness): string {
  const { p50, p99, max } = sharesOf(lateness);
  return `p50 ${p50} ms, p99 ${p99} ms, at most ${max} ms`;
}
