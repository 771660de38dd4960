/** Decides what a GET returns: bytes of a file, an empty frame, or an ERROR message. */
import { resourceOf } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxReadBytes } from "../../base/limits/streams.ts";
import { Lru } from "../../base/lru.ts";
import type { Readable } from "../../engine/streams/readable-streams.ts";
import type { TypeCase } from "../../wire/audio-cache.ts";
import type { Planner, ReadPlan } from "./answers.ts";
import type { ErrorReplies } from "./error-replies.ts";

/** What reads need of the engine. */
export interface ReadableStreams {
  /** A finished stream in memory, without a look-up. */
  locateKnown(streamId: string): Readable | undefined;
  /** An unfinished stream resolves once `wantedBytes` of what it received are readable. Throws STREAM_UNKNOWN. */
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
}

export interface Get {
  streamId: string;
  offset: number;
  length: number;
  typeCase: TypeCase;
}

/** Ends that a connection remembers. Above this, a read at a forgotten end gets an empty frame again. */
const maxReportedEnds = 1024;

export class ReadPlanner implements Planner<Get> {
  readonly #streams: ReadableStreams;
  readonly #principal: Principal;
  readonly #errors: ErrorReplies;
  /** Finish times of streams whose end this connection got as an empty frame. The next read at that end is an error. */
  readonly #reportedEnds = new Lru<number>(maxReportedEnds);

  constructor(streams: ReadableStreams, principal: Principal, errors: ErrorReplies) {
    this.#streams = streams;
    this.#principal = principal;
    this.#errors = errors;
  }

  /** Returns no promise for a finished stream in memory: nearly every GET of a download takes this path. */
  plan(get: Get): ReadPlan | Promise<ReadPlan> {
    this.#principal.require("read", resourceOf("streams", get.streamId), "STREAM_UNKNOWN");
    const known = this.#streams.locateKnown(get.streamId);
    if (known !== undefined) return this.#planRange(get, known);
    return this.#streams
      .locate(get.streamId, get.offset + get.length)
      .then((readable) => this.#planRange(get, readable));
  }

  explain({ streamId, typeCase }: Get, error: unknown): string {
    return this.#errors.requestFailed(`Failed to read from stream: ${streamId}`, error, typeCase);
  }

  #planRange(get: Get, readable: Readable): ReadPlan {
    const { streamId, offset, typeCase } = get;
    const available = readable.size - offset;
    const isFirstEnd = available === 0 && this.#reportEnd(streamId, readable.finishedAt);
    if (available <= 0 && !isFirstEnd) return { text: this.#errors.noData(offset, typeCase) };
    const length = Math.min(get.length, available);
    if (length > maxReadBytes) throw new WavecacheError("READ_TOO_LARGE");
    return length === 0 ? "empty" : { file: readable.file, offset, length };
  }

  /** True the first time for a finished stream. A new stream may reuse a removed one's id, so the time counts too. */
  #reportEnd(streamId: string, finishedAt: number | undefined): boolean {
    if (finishedAt === undefined || this.#reportedEnds.get(streamId) === finishedAt) return false;
    this.#reportedEnds.set(streamId, finishedAt);
    return true;
  }
}
