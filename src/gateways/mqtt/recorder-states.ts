/** Devices that record: whether they do now, as retained topics, and their levels, which nobody needs later. */
import { maxMqttRecorders, mqttLevelMs, mqttRecorderMs } from "../../base/limits/mqtt.ts";
import { type Level, peakDbfs, rmsDbfs } from "../../codec/peaks/level.ts";
import { type DiscoverySettings, discoveryTopic, recorderDiscovery } from "./discovery.ts";
import type { Described, Description, Message } from "./retained-states.ts";
import type { Topics } from "./topics.ts";

/** A recording in progress. */
export interface RunningRecording {
  readonly isRunning: boolean;
  readonly hwid: string | null;
  readonly handshake: { readonly streamId: number };
  /** How many levels there were; undefined if it shows none. */
  readonly levelBlocks: number | undefined;
  readonly level: Level | undefined;
}

export interface MqttRecordings {
  running(): Iterable<RunningRecording>;
}

export class RecorderStates implements Described {
  readonly #recordings: MqttRecordings;
  readonly #topics: Topics;
  readonly #discovery: DiscoverySettings | undefined;
  /** Whether each device records, and the number of its last level that was sent. */
  readonly #known = new Map<string, { isRunning: boolean; blocks: number | undefined }>();
  #timers: Timer[] = [];
  #isSendingLevels = false;

  constructor(recordings: MqttRecordings, topics: Topics, discovery: DiscoverySettings | undefined) {
    this.#recordings = recordings;
    this.#topics = topics;
    this.#discovery = discovery;
  }

  /** Looks at the recordings from now on. `sendLevel` must not throw. */
  open(onChange: (device: string) => void, sendLevel: (level: Message) => Promise<void>): void {
    this.#timers = [
      setInterval(() => this.#look(onChange), mqttRecorderMs),
      setInterval(() => void this.#sendLevels(sendLevel), mqttLevelMs),
    ];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  ids(): Iterable<string> {
    return this.#known.keys();
  }

  /** The broker says that a device records: an earlier run may have ended before it could say otherwise. */
  heard(device: string): void {
    if (this.#known.size < maxMqttRecorders && !this.#known.has(device))
      this.#known.set(device, { isRunning: true, blocks: undefined });
  }

  describe(device: string): Description | undefined {
    const known = this.#known.get(device);
    if (known === undefined) return undefined;
    return {
      configs: this.#discovery === undefined ? [] : [recorderDiscovery(this.#discovery, device)],
      states: [
        { topic: this.#topics.recorder(device, "recording"), payload: known.isRunning ? "ON" : "OFF" },
      ],
    };
  }

  topics(device: string): string[] {
    const state = this.#topics.recorder(device, "recording");
    return this.#discovery === undefined
      ? [state]
      : [discoveryTopic(this.#discovery, "recorder", device), state];
  }

  #look(onChange: (device: string) => void): void {
    const running = new Set([...this.#running()].map(nameOf));
    for (const device of running) {
      if (this.#known.get(device)?.isRunning === true) continue;
      this.#known.set(device, { isRunning: true, blocks: undefined });
      onChange(device);
    }
    for (const [device, known] of this.#known) {
      if (!known.isRunning || running.has(device)) continue;
      known.isRunning = false;
      onChange(device);
    }
    this.#forgetOldest(onChange);
  }

  #forgetOldest(onChange: (device: string) => void): void {
    for (const [device, { isRunning }] of this.#known) {
      if (this.#known.size <= maxMqttRecorders) return;
      if (isRunning) continue;
      this.#known.delete(device);
      onChange(device);
    }
  }

  /** Skips a turn while the broker is slow. */
  async #sendLevels(sendLevel: (level: Message) => Promise<void>): Promise<void> {
    if (this.#isSendingLevels) return;
    this.#isSendingLevels = true;
    for (const recording of this.#running()) {
      const message = this.#freshLevel(recording);
      if (message !== undefined) await sendLevel(message);
    }
    this.#isSendingLevels = false;
  }

  /** Undefined without a new level. */
  #freshLevel(recording: RunningRecording): Message | undefined {
    const { level, levelBlocks } = recording;
    const known = this.#known.get(nameOf(recording));
    if (level === undefined || known === undefined || known.blocks === levelBlocks) return undefined;
    known.blocks = levelBlocks;
    const { clipped } = level;
    const payload = JSON.stringify({ rms: round(rmsDbfs(level)), peak: round(peakDbfs(level)), clipped });
    return { topic: this.#topics.recorder(nameOf(recording), "level"), payload };
  }

  *#running(): Iterable<RunningRecording> {
    for (const recording of this.#recordings.running()) if (recording.isRunning) yield recording;
  }
}

/** As in the subjects of events. */
function nameOf({ hwid, handshake }: RunningRecording): string {
  return hwid ?? String(handshake.streamId);
}

function round(decibels: number): number {
  return Math.round(decibels * 10) / 10;
}
