/**
 * Sends the levels of recordings in progress to all clients that follow them. Ten times a second each recording with a new
 * level is described once, whoever follows it. A client that has not read its last frame misses this one.
 */
import type { Principal } from "../../../access/principal.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import { levelBlockMs, maxLevelListeners } from "../../../base/limits/peaks.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import { type Level, peakDbfs, rmsDbfs } from "../../../codec/peaks/level.ts";

/** A recording in progress. */
export interface MeteredRecording {
  readonly hwid: string | null;
  readonly handshake: { readonly streamId: number };
  /** How many levels there were; undefined if it shows none. */
  readonly levelBlocks: number | undefined;
  readonly level: Level | undefined;
}

export interface MeteredRecordings {
  metered(): Iterable<MeteredRecording>;
  /** So many clients follow the levels now. */
  countLevelListeners(count: number): void;
}

interface LevelListener {
  principal: Principal;
  matches(device: string): boolean;
  controller: ReadableStreamDefaultController<Uint8Array>;
  meter: GatewayMeter;
  /** Whether it may see a recording. */
  sees: WeakMap<MeteredRecording, boolean>;
}

/** A recording that was described before. */
interface Known {
  blocks: number;
  /** What stays the same of its description. */
  head: string;
}

const encoder = new TextEncoder();

export class LevelFeed {
  readonly #recordings: MeteredRecordings;
  readonly #listeners = new Set<LevelListener>();
  #known = new WeakMap<MeteredRecording, Known>();
  #timer: Timer | undefined;

  constructor(recordings: MeteredRecordings) {
    this.#recordings = recordings;
  }

  /** Server-sent events until the client leaves or its principal ends. Throws LISTENERS_EXHAUSTED. */
  follow(
    principal: Principal,
    matches: (device: string) => boolean,
    meter: GatewayMeter,
  ): ReadableStream<Uint8Array> {
    if (this.#listeners.size >= maxLevelListeners) throw new WavecacheError("LISTENERS_EXHAUSTED");
    let listener: LevelListener;
    const end = () => {
      if (this.#remove(listener)) listener.controller.close();
    };
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          listener = { principal, matches, controller, meter, sees: new WeakMap() };
          this.#add(listener);
          principal.ended.addEventListener("abort", end, { once: true });
          // Proxies and browsers pass the answer on once there is a byte.
          controller.enqueue(encoder.encode(": levels\n\n"));
        },
        cancel: () => {
          this.#remove(listener);
          principal.ended.removeEventListener("abort", end);
        },
      },
      { highWaterMark: 2 },
    );
  }

  #add(listener: LevelListener): void {
    this.#listeners.add(listener);
    this.#recordings.countLevelListeners(this.#listeners.size);
    this.#timer ??= setInterval(() => this.#send(), levelBlockMs);
  }

  #remove(listener: LevelListener): boolean {
    if (!this.#listeners.delete(listener)) return false;
    this.#recordings.countLevelListeners(this.#listeners.size);
    if (this.#listeners.size > 0) return true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#known = new WeakMap();
    return true;
  }

  #send(): void {
    const fresh: [recording: MeteredRecording, text: string][] = [];
    for (const recording of this.#recordings.metered()) {
      const text = this.#describe(recording);
      if (text !== undefined) fresh.push([recording, text]);
    }
    const at = sharedNow();
    for (const listener of this.#listeners) sendTo(listener, fresh, at);
  }

  /** Undefined without a new level. */
  #describe(recording: MeteredRecording): string | undefined {
    const { levelBlocks, level } = recording;
    if (levelBlocks === undefined || level === undefined) return undefined;
    const known = this.#known.get(recording) ?? { blocks: levelBlocks, head: headOf(recording) };
    const isNew = known.blocks !== levelBlocks;
    known.blocks = levelBlocks;
    this.#known.set(recording, known);
    if (!isNew) return undefined;
    const { clipped } = level;
    return `${known.head}"peak":${decibels(peakDbfs(level))},"rms":${decibels(rmsDbfs(level))},"clipped":${clipped}}`;
  }
}

function sendTo(listener: LevelListener, fresh: [MeteredRecording, string][], at: number): void {
  const { controller, meter } = listener;
  const texts = fresh.filter(([recording]) => isSeen(listener, recording)).map(([, text]) => text);
  if (texts.length === 0) return;
  const frame = encoder.encode(`event: levels\ndata: {"at":${at},"levels":[${texts.join(",")}]}\n\n`);
  if ((controller.desiredSize ?? 0) <= 0) meter.skippedBytes += frame.length;
  else {
    meter.bytesOut += frame.length;
    controller.enqueue(frame);
  }
}

function isSeen({ principal, matches, sees }: LevelListener, recording: MeteredRecording): boolean {
  const known = sees.get(recording);
  if (known !== undefined) return known;
  const name = nameOf(recording);
  const isWanted = matches(name) && principal.may("listen", `recordings/${name}`);
  sees.set(recording, isWanted);
  return isWanted;
}

function nameOf({ hwid, handshake }: MeteredRecording): string {
  return hwid ?? String(handshake.streamId);
}

function headOf(recording: MeteredRecording): string {
  const { hwid, handshake } = recording;
  return `{"device":${JSON.stringify(hwid)},"streamId":${handshake.streamId},`;
}

function decibels(value: number): number {
  return Math.round(value * 10) / 10;
}
