/**
 * A device that sends a known signal to a recorder, in a time of its own: with rotations, losses, pauses, reconnects,
 * crashes and a clock that is set. Beside the recordings it keeps what each session should be, by the documentation
 * alone.
 */
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { describeSegment, describeStarted } from "../../../workers/jobs/recordings/describe-segment.ts";
import { Recorder } from "../../../workers/jobs/recordings/recorder.ts";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import type { RecordingSpec } from "../../lane/messages/recordings.ts";
import { RecordingKeeper } from "../../store/recordings/keeper.ts";
import type { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { frameMessage } from "./peers/ingest-device.ts";

export const rate = 16_000;
const frameSamples = 320;
const frameMs = 20;

/** Audio of a session without losses. */
export interface KnownRun {
  sessionStartUs: number;
  /** Of its first sample in the session. */
  position: number;
  samples: number[];
}

/** A signal that hardly repeats. */
export function signalAt(index: number): number {
  return (Math.imul(index + 1, 0x9e3779b1) >> 16) | 0;
}

export class RecordedDay {
  readonly runs: KnownRun[] = [];
  readonly #folder: string;
  readonly #catalog: SqliteCatalog;
  readonly #keeper: RecordingKeeper;
  #recorder: Recorder | undefined;
  /** The segment that was opened last. */
  #opened = "";
  #entries: RecordingEntry[] = [];
  #run = 0;
  #connection = 0;
  /** The monotonic clock, and the system's clock minus that. */
  #nowMs = 0;
  #wallOffsetMs = Date.UTC(2026, 0, 1);
  #signal = 0;
  #seq = 0;
  #sessionStartUs = 0;
  #position = 0;

  constructor(folder: string, catalog: SqliteCatalog) {
    this.#folder = folder;
    this.#catalog = catalog;
    this.#keeper = new RecordingKeeper(catalog, async () => true);
  }

  get keeper(): RecordingKeeper {
    return this.#keeper;
  }

  send(frames: number): void {
    this.#recorder ??= this.#connect();
    this.runs.push({ sessionStartUs: this.#sessionStartUs, position: this.#position, samples: [] });
    const { samples } = this.runs.at(-1)!;
    for (let frame = 0; frame < frames; frame++) {
      const payload = new Int16Array(frameSamples);
      for (let at = 0; at < frameSamples; at++) samples.push((payload[at] = signalAt(this.#signal++)));
      const bytes = new Uint8Array(frameMessage(0, this.#seq++, new Uint8Array(payload.buffer)));
      this.#recorder.record({ bytes, offset: 0, length: bytes.length }, this.#nowMs);
      this.#nowMs += frameMs;
    }
    this.#position += frames * frameSamples;
  }

  /** Frames are lost on their way, in the time that they take. */
  lose(frames: number): void {
    this.#seq += frames;
    this.#signal += frames * frameSamples;
    this.#nowMs += frames * frameMs;
    if (this.#recorder !== undefined) this.#position += frames * frameSamples;
  }

  /** The device sends nothing, but stays connected; more than two seconds. */
  pause(ms: number): void {
    const endUs = this.#sessionStartUs + (this.#position * 1_000_000) / rate;
    this.#nowMs += ms;
    this.#sessionStartUs = Math.round(endUs + ms * 1000);
    this.#position = 0;
  }

  disconnect(ms: number): void {
    this.#recorder?.end();
    this.#recorder = undefined;
    this.#nowMs += ms;
  }

  setClock(ms: number): void {
    this.disconnect(100);
    this.#wallOffsetMs += ms;
  }

  /** The server is killed after everything was flushed, and starts again. */
  async crash(ms: number): Promise<void> {
    const flushedMs = this.#nowMs + 600;
    this.#recorder?.tick(flushedMs);
    this.#recorder?.abandon();
    this.#recorder = undefined;
    const flushedAt = (flushedMs + this.#wallOffsetMs) / 1000;
    utimesSync(join(this.#folder, `${this.#opened}.bin`), flushedAt, flushedAt);
    await this.enter();
    await this.#keeper.repair({ folder: this.#folder, names: null });
    this.#run += 1;
    this.#nowMs += ms;
  }

  /** Inserts the complete segments into the catalog. */
  async enter(): Promise<void> {
    const closed = this.#entries;
    this.#entries = [];
    await this.#keeper.sync({ folder: this.#folder, open: [], closed, suspect: [], ended: [] });
  }

  #connect(): Recorder {
    this.#connection += 1;
    this.#seq = 0;
    this.#sessionStartUs = Math.round((this.#nowMs + this.#wallOffsetMs) * 1000);
    this.#position = 0;
    const handshake = { streamId: 7, sampleRate: rate, channels: 1, codec: 0, frameSamples, timestampMs: 0 };
    const spec: RecordingSpec = {
      handshake,
      hwid: "kitchen",
      folder: this.#folder,
      rotateMs: 1_000,
      nibbles: null,
      fillGaps: false,
      threshold: { dbfs: -50, silenceMs: 2_000 },
      connection: `c${this.#connection}`,
      run: `r${this.#run}`,
      clockAheadMs: 0,
    };
    const owner = {
      started: (segment: Parameters<typeof describeStarted>[1]) => {
        this.#opened = segment.name;
        this.#catalog.recordings.start(describeStarted(spec, segment));
      },
      finished: (segment: Parameters<typeof describeSegment>[1]) => {
        const block = new Uint8Array(65_536);
        while (!segment.hashNext(block));
        segment.close();
        this.#entries.push(describeSegment(spec, segment, undefined));
      },
      ordered: () => {},
      audio: () => {},
      level: () => {},
      changed: () => {},
      recorded: () => {},
    };
    return new Recorder(spec, owner, () => this.#nowMs + this.#wallOffsetMs);
  }
}

/** The audio of a period as the documentation defines it, made from the known runs. */
export function referenceCut(runs: readonly KnownRun[], fromUs: number, toUs: number): Int16Array {
  const out = new Int16Array(Math.round(((toUs - fromUs) * rate) / 1_000_000));
  const inOrder = runs.toSorted((a, b) => a.sessionStartUs - b.sessionStartUs || a.position - b.position);
  let heard = 0;
  for (const { sessionStartUs, position, samples } of inOrder) {
    const first = Math.round(((sessionStartUs - fromUs) * rate) / 1_000_000) + position;
    const begin = Math.max(heard, first, 0);
    const end = Math.min(out.length, first + samples.length);
    for (let at = begin; at < end; at++) out[at] = samples[at - first]!;
    heard = Math.max(heard, end);
  }
  return out;
}
