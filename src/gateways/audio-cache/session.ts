/**
 * One connection of the audio cache. It keeps the streams that the peer has started, words every answer as peers of
 * the protocol expect it, and pauses the peer when its audio or its requests come faster than they can be taken.
 */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorRow, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxControlChars } from "../../base/limits/connections.ts";
import { maxReadBytes, maxStreamsPerConnection } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log.ts";
import type { Readable } from "../../engine/streams/streams.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { Upload, UploadOwner } from "../../engine/streams/upload.ts";
import type { Session, Socket } from "../../listen/route.ts";
import {
  decodeRequest,
  encodeError,
  encodeStarted,
  encodeStopped,
  type Request,
  type TypeCase,
} from "../../wire/audio-cache.ts";
import { Answers, type AnswersOwner, type RangeReader, type ReadPlan, type ReadRequest } from "./answers.ts";

/** What this door needs of the engine. */
export interface Streams {
  startUpload(streamId: string, owner: UploadOwner): Upload;
  resumeUpload(streamId: string, owner: UploadOwner): Upload;
  locateKnown(streamId: string): Readable | undefined;
  locate(streamId: string, wantedBytes: number): Promise<Readable>;
  assignReader(): RangeReader;
  readonly outbound: OutboundBudget;
}

type Start = Extract<Request, { type: "START" }>;
type Stop = Extract<Request, { type: "STOP" }>;

/** Streams whose end this connection remembers to have told; the oldest is forgotten first. */
const maxEndsTold = 1024;

export class AudioCacheSession implements Session, UploadOwner, AnswersOwner {
  readonly #socket: Socket;
  readonly #cache: Streams;
  readonly #meter: GatewayMeter;
  readonly #log: Log;
  readonly #answers: Answers;
  /** Started here and not stopped yet. */
  readonly #uploads = new Map<string, Upload>();
  /** Where binary frames go: the stream that was started last. */
  #current: Upload | undefined;
  /** Uploads that hold audio which their writer could not take yet. */
  readonly #held = new Set<Upload>();
  /** Finished streams that were read at their end, by when they were finished; the next such read is an error. */
  readonly #endsTold = new Map<string, number>();
  #strayAudioTold = false;
  #requestsPaused = false;
  #paused = false;
  #isSentAway = false;

  constructor(socket: Socket, cache: Streams, meter: GatewayMeter, log: Log) {
    this.#socket = socket;
    this.#cache = cache;
    this.#meter = meter;
    this.#log = log;
    this.#answers = new Answers(socket, cache.assignReader(), cache.outbound, this);
  }

  text(message: string): void {
    this.#strayAudioTold = false;
    if (message.length > maxControlChars) {
      this.#meter.failed("MESSAGE_TOO_LARGE");
      return this.#answers.text(encodeError(`Message too large (at most ${maxControlChars} characters)`));
    }
    const request = decodeRequest(message);
    switch (request.type) {
      case "MALFORMED":
        return this.#refuse(request.message);
      case "START":
        return void this.#start(request);
      case "STOP":
        return void this.#stop(request);
      case "GET":
        return this.#get(request);
    }
  }

  binary(frame: Uint8Array): void {
    const upload = this.#current;
    if (upload === undefined) return this.#refuseStrayAudio();
    if (upload.write(frame)) return;
    this.#held.add(upload);
    this.#updatePause();
  }

  drained(): void {
    this.#answers.drained();
  }

  closed(): void {
    this.#answers.close();
    for (const upload of this.#uploads.values()) upload.leave(new WavecacheError("STREAM_UNFINISHED"));
    this.#uploads.clear();
    this.#current = undefined;
  }

  uploadHolds(upload: Upload): void {
    this.#held.add(upload);
    this.#updatePause();
  }

  uploadHasRoom(upload: Upload): void {
    this.#held.delete(upload);
    this.#updatePause();
  }

  uploadFailed(upload: Upload, error: WavecacheError): void {
    this.#held.delete(upload);
    this.#updatePause();
    if (this.#uploads.get(upload.streamId) !== upload) return;
    this.#meter.failed(error.code);
    this.#log.warn("an upload failed", { streamId: upload.streamId, code: error.code, error });
    this.#answers.text(encodeError(`Failed to write to stream: ${upload.streamId} (${reasonOf(error)})`));
  }

  requestsWaiting(tooMany: boolean): void {
    this.#requestsPaused = tooMany;
    this.#updatePause();
  }

  answersFailed(code: "REQUESTS_EXHAUSTED" | "PEER_STALLED"): void {
    if (this.#isSentAway) return;
    this.#isSentAway = true;
    this.#meter.failed(code);
    this.#socket.close(errorRow(code).close, errorRow(code).reason);
  }

  async #start(request: Start): Promise<void> {
    const { streamId, typeCase } = request;
    if (streamId === undefined) return this.#refuse("Missing streamId", typeCase);
    const place = this.#answers.reserveText();
    // Audio that comes now is meant for this stream, and must not end up in another if it is refused.
    this.#current = undefined;
    let upload: Upload | undefined;
    try {
      upload = this.#openUpload(streamId, request.resume);
      const keptBytes = await upload.ready;
      place.fill(encodeStarted(typeCase, streamId, request.resume ? keptBytes : undefined));
    } catch (error) {
      if (upload !== undefined) this.#forget(upload);
      if (upload !== undefined) this.uploadHasRoom(upload);
      place.fill(this.#failure(`Failed to create stream: ${streamId}`, error, typeCase));
    }
  }

  #openUpload(streamId: string, resume: boolean): Upload {
    if (this.#uploads.size >= maxStreamsPerConnection) throw new WavecacheError("STREAMS_EXHAUSTED");
    const upload = resume
      ? this.#cache.resumeUpload(streamId, this)
      : this.#cache.startUpload(streamId, this);
    this.#uploads.set(streamId, upload);
    this.#current = upload;
    return upload;
  }

  async #stop(request: Stop): Promise<void> {
    const { typeCase } = request;
    const streamId = request.streamId ?? this.#current?.streamId;
    if (streamId === undefined) return this.#refuse("Missing streamId", typeCase);
    const place = this.#answers.reserveText();
    const upload = this.#uploads.get(streamId);
    if (upload !== undefined) this.#forget(upload);
    try {
      if (upload === undefined) throw new WavecacheError("STREAM_UNKNOWN");
      const { size, sha256 } = await upload.finish();
      place.fill(encodeStopped(typeCase, streamId, size, sha256));
    } catch (error) {
      place.fill(this.#failure(`Failed to finalize stream: ${streamId}`, error, typeCase));
    } finally {
      // However it ended, nothing of it is held any more.
      if (upload !== undefined) this.uploadHasRoom(upload);
    }
  }

  #get(request: Extract<Request, { type: "GET" }>): void {
    const { streamId, typeCase } = request;
    if (streamId === undefined) return this.#refuse("Missing streamId", typeCase);
    this.#answers.read(new Get(this, streamId, request.offset, request.length, typeCase));
  }

  /** Without a promise where the stream is finished and known: that is nearly every GET of a download. */
  planGet(get: Get): ReadPlan | Promise<ReadPlan> {
    const known = this.#cache.locateKnown(get.streamId);
    if (known !== undefined) return this.#planRange(get, known);
    return this.#cache
      .locate(get.streamId, get.offset + get.length)
      .then((readable) => this.#planRange(get, readable));
  }

  explainGet({ streamId, typeCase }: Get, error: unknown): string {
    return this.#failure(`Failed to read from stream: ${streamId}`, error, typeCase);
  }

  #planRange(get: Get, readable: Readable): ReadPlan {
    const { streamId, offset, typeCase } = get;
    const available = readable.size - offset;
    const atEnd = available === 0 && this.#tellEnd(streamId, readable.finishedAt);
    if (available <= 0 && !atEnd) {
      this.#meter.failed("NO_DATA");
      return { text: encodeError(`No data available at offset ${offset}`, typeCase) };
    }
    const length = Math.min(get.length, available);
    if (length > maxReadBytes) throw new WavecacheError("READ_TOO_LARGE");
    return length === 0 ? "empty" : { file: readable.file, offset, length };
  }

  /** True the first time for a finished stream; a new one may have the id of one that was removed. */
  #tellEnd(streamId: string, finishedAt: number | undefined): boolean {
    if (finishedAt === undefined || this.#endsTold.get(streamId) === finishedAt) return false;
    if (this.#endsTold.size === maxEndsTold) this.#endsTold.delete(this.#endsTold.keys().next().value!);
    this.#endsTold.set(streamId, finishedAt);
    return true;
  }

  #forget(upload: Upload): void {
    if (this.#current === upload) this.#current = undefined;
    if (this.#uploads.get(upload.streamId) === upload) this.#uploads.delete(upload.streamId);
  }

  /** Once for a run of frames: an error a frame would be a flood. */
  #refuseStrayAudio(): void {
    if (this.#strayAudioTold) return;
    this.#strayAudioTold = true;
    this.#refuse("No active stream for binary data");
  }

  /** A message that breaks the protocol. */
  #refuse(why: string, typeCase?: TypeCase): void {
    this.#meter.refused += 1;
    this.#answers.text(encodeError(why, typeCase));
  }

  #failure(what: string, error: unknown, typeCase: TypeCase): string {
    const known = toWavecacheError(error);
    this.#meter.failed(known.code);
    const log = errorRow(known.code).http >= 500 ? this.#log.error : this.#log.debug;
    log(what, { code: known.code, error: known });
    return encodeError(`${what} (${reasonOf(known)})`, typeCase);
  }

  #updatePause(): void {
    const pause = this.#held.size > 0 || this.#requestsPaused;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }
}

/**
 * A GET of a stream that was named. A class and not two closures, since GETs come by tens of thousands a second: with
 * them a download in small pieces made twice the garbage.
 */
class Get implements ReadRequest {
  readonly #session: AudioCacheSession;
  readonly streamId: string;
  readonly offset: number;
  readonly length: number;
  readonly typeCase: TypeCase;

  constructor(
    session: AudioCacheSession,
    streamId: string,
    offset: number,
    length: number,
    typeCase: TypeCase,
  ) {
    this.#session = session;
    this.streamId = streamId;
    this.offset = offset;
    this.length = length;
    this.typeCase = typeCase;
  }

  plan(): ReadPlan | Promise<ReadPlan> {
    return this.#session.planGet(this);
  }

  explain(error: unknown): string {
    return this.#session.explainGet(this, error);
  }
}

function reasonOf(error: WavecacheError): string {
  return errorRow(error.code).reason;
}
