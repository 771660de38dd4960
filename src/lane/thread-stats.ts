/**
 * Counters of a worker thread, in memory that it shares with the main thread: reading them sends no message. Only the
 * thread writes. Each counter is an aligned double, which a 64-bit processor stores in one piece, so a reader never sees
 * a torn one.
 */
import { RECORD_CLOSE, RECORD_FRAMES, RECORD_LISTEN, RECORD_OPEN } from "./messages/recordings.ts";
import {
  READ_CHECK,
  READ_CLOSE,
  READ_OPEN,
  READ_RANGE,
  WRITE_CLOSE,
  WRITE_DATA,
  WRITE_FENCE,
  WRITE_OPEN,
  WRITE_SEAL,
} from "./messages/streams.ts";

/** How often a kind of job ran, and for how long in total. */
export interface JobFigures {
  job: string;
  count: number;
  seconds: number;
}

/** Kinds of tasks are below this. */
const kinds = 128;
/** The kind of what a thread does between tasks. */
const background = 0;
/** After a count and a time, in ms, for each kind. */
const framesWord = 2 * kinds;
const lostFramesWord = framesWord + 1;
const words = framesWord + 2;

const jobNames: Record<number, string> = {
  [background]: "background",
  [WRITE_OPEN]: "upload open",
  [WRITE_DATA]: "upload data",
  [WRITE_FENCE]: "upload fence",
  [WRITE_SEAL]: "upload seal",
  [WRITE_CLOSE]: "upload close",
  [READ_OPEN]: "read open",
  [READ_RANGE]: "read range",
  [READ_CLOSE]: "read close",
  [READ_CHECK]: "read check",
  [RECORD_OPEN]: "recording open",
  [RECORD_FRAMES]: "recording frames",
  [RECORD_LISTEN]: "recording listen",
  [RECORD_CLOSE]: "recording close",
};

export class ThreadStats {
  readonly memory: SharedArrayBuffer;
  readonly #words: Float64Array;

  /** Attaches to the memory of another instance, or starts at zero. */
  constructor(memory = new SharedArrayBuffer(words * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#words = new Float64Array(memory);
  }

  /** A task of this kind took `ms`. */
  ran(kind: number, ms: number): void {
    this.#words[kind]! += 1;
    this.#words[kinds + kind]! += ms;
  }

  ranBackground(ms: number): void {
    this.ran(background, ms);
  }

  /** Frames of live ingest arrived; `lostFrames` are missing before and between them. */
  recorded(frames: number, lostFrames: number): void {
    this.#words[framesWord]! += frames;
    this.#words[lostFramesWord]! += lostFrames;
  }

  get recordedFrames(): number {
    return this.#words[framesWord]!;
  }

  get lostFrames(): number {
    return this.#words[lostFramesWord]!;
  }

  /** The kinds of jobs that ran at least once. */
  jobs(): JobFigures[] {
    const jobs: JobFigures[] = [];
    for (let kind = 0; kind < kinds; kind += 1) {
      const count = this.#words[kind]!;
      if (count === 0) continue;
      const seconds = this.#words[kinds + kind]! / 1000;
      jobs.push({ job: jobNames[kind] ?? `task ${kind}`, count, seconds });
    }
    return jobs;
  }
}
