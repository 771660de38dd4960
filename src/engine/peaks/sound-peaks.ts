/**
 * Peaks of whole sounds: finished streams and songs. They are measured by the encoding thread at their first use, one
 * sound at a time, so that sounds for devices are hardly delayed, and stay in the cache folder until others need the room.
 */
import { readFile, utimes } from "node:fs/promises";
import { WavecacheError } from "../../base/errors.ts";
import { maxPeakJobs } from "../../base/limits/peaks.ts";
import { decodeDat, type Peaks } from "../../codec/peaks/dat.ts";
import type { Encoding } from "../../pool/encoders.ts";
import { isMissing } from "../../store/layout.ts";
import type { EncodeTask } from "../../store/sounds/encoder-calls.ts";

/** An open file of audio. */
export interface SoundFile {
  readonly descriptor: number;
  readonly size: number;
  close(): Promise<void>;
}

export interface PeakEncoders {
  measure(task: EncodeTask): Encoding;
}

/** A sound that is being measured, or waits for it. */
interface Job {
  done: Promise<void>;
  /** Requests that wait. Without one the job is cancelled. */
  waiting: number;
  encoding: Encoding | undefined;
  isCancelled: boolean;
}

export class SoundPeaks {
  readonly #encoders: PeakEncoders;
  /** By the path of the stored peaks. */
  readonly #jobs = new Map<string, Job>();
  #last: Promise<void> = Promise.resolve();

  constructor(encoders: PeakEncoders) {
    this.#encoders = encoders;
  }

  /** Sounds that are measured, or wait for it. */
  get jobs(): number {
    return this.#jobs.size;
  }

  /**
   * The peaks that are stored at `path`, or those of the file that `open` opens. Rejects with SOUND_UNREADABLE,
   * PEAKS_EXHAUSTED and what `open` rejects with. An aborted request resolves too, if others wait for the same.
   */
  async get(path: string, open: () => Promise<SoundFile>, signal: AbortSignal): Promise<Peaks> {
    const stored = await readStored(path);
    if (stored !== undefined) return stored;
    const known = this.#jobs.get(path);
    const job = known === undefined || known.isCancelled ? this.#begin(path, open) : known;
    job.waiting += 1;
    const leave = () => this.#leave(job);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await job.done;
    } finally {
      signal.removeEventListener("abort", leave);
    }
    const peaks = await readStored(path);
    if (peaks === undefined) throw new WavecacheError("STORE_FAILED", `${path} is missing or damaged`);
    return peaks;
  }

  #begin(path: string, open: () => Promise<SoundFile>): Job {
    if (this.#jobs.size >= maxPeakJobs) throw new WavecacheError("PEAKS_EXHAUSTED");
    const job: Job = { done: Promise.resolve(), waiting: 0, encoding: undefined, isCancelled: false };
    job.done = this.#last
      .then(() => this.#run(job, path, open))
      .finally(() => {
        if (this.#jobs.get(path) === job) this.#jobs.delete(path);
      });
    // A job that fails does not hold up the next one; those who wait for it get its error.
    this.#last = job.done.catch(() => undefined);
    this.#jobs.set(path, job);
    return job;
  }

  async #run(job: Job, path: string, open: () => Promise<SoundFile>): Promise<void> {
    if (job.isCancelled) throw new WavecacheError("SHUTTING_DOWN");
    const file = await open();
    try {
      job.encoding = this.#encoders.measure({
        descriptor: file.descriptor,
        size: file.size,
        storePath: path,
      });
      const end = await job.encoding.ended;
      if (end.kind === "cancelled") throw new WavecacheError("SHUTTING_DOWN");
    } finally {
      await file.close();
    }
  }

  #leave(job: Job): void {
    job.waiting -= 1;
    if (job.waiting > 0) return;
    job.isCancelled = true;
    job.encoding?.cancel();
  }
}

/** Undefined if they are not there, or damaged. Marks them as used. */
async function readStored(path: string): Promise<Peaks | undefined> {
  try {
    const peaks = decodeDat(await readFile(path));
    const now = new Date();
    // A read-only folder works too; without new timestamps, trimming only picks other peaks.
    await utimes(path, now, now).catch(() => undefined);
    return peaks;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
