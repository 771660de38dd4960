/**
 * What a worker thread has done so far, in memory that it shares with the main thread: nothing is sent for it. Only the
 * thread writes. The numbers are doubles on their own eight bytes, which a 64-bit processor stores whole, so that a
 * reader sees each as it was a moment ago.
 */
import { RECORD_CLOSE, RECORD_FRAMES, RECORD_LISTEN, RECORD_OPEN } from "./messages/recordings.ts";
import {
  READ_CLOSE,
  READ_OPEN,
  READ_RANGE,
  WRITE_CLOSE,
  WRITE_DATA,
  WRITE_FENCE,
  WRITE_OPEN,
  WRITE_SEAL,
} from "./messages/streams.ts";

/** A kind of job: how often it was done, and how long that took altogether. */
export interface JobFigures {
  job: string;
  count: number;
  seconds: number;
}

/** Kinds of tasks are below this; 0 is what a thread does between tasks. */
const kinds = 128;
const background = 0;
/** Behind the counts of the kinds and their seconds. */
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
  [RECORD_OPEN]: "recording open",
  [RECORD_FRAMES]: "recording frames",
  [RECORD_LISTEN]: "recording listen",
  [RECORD_CLOSE]: "recording close",
};

export class ThreadStats {
  readonly memory: SharedArrayBuffer;
  readonly #words: Float64Array;

  /** Attaches to the memory of another thread's, or begins at zero. */
  constructor(memory = new SharedArrayBuffer(words * Float64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#words = new Float64Array(memory);
  }

  /** A task of this kind is done and took `ms`. */
  ran(kind: number, ms: number): void {
    this.#words[kind]! += 1;
    this.#words[kinds + kind]! += ms;
  }

  /** Something was done between tasks. */
  ranBackground(ms: number): void {
    this.ran(background, ms);
  }

  /** Frames of live ingest came in; so many were missing before and between them. */
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

  /** The kinds of jobs that were done at least once. */
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
