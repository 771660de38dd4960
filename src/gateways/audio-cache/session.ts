/**
 * One connection of the audio cache. Holds the uploads that the peer started, answers its requests in order, and pauses
 * the peer when its audio or its requests arrive faster than the server handles them.
 */
import { resourceOf } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import { WavecacheError } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { maxControlChars } from "../../base/limits/connections.ts";
import { maxStreamsPerConnection } from "../../base/limits/streams.ts";
import { type Log, withFields } from "../../base/log/log.ts";
import type { RequestContext } from "../../base/request-context.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { NewStream } from "../../engine/streams/current-uploads.ts";
import type { Upload, UploadOwner } from "../../engine/streams/upload.ts";
import type { Handshake, Session, Socket } from "../../listen/route.ts";
import {
  decodeRequest,
  encodeStarted,
  encodeStopped,
  type Request,
  type StartMode,
  type TypeCase,
} from "../../wire/audio-cache.ts";
import { Answers, type RangeReader } from "./answers.ts";
import { Connection } from "./connection.ts";
import { ErrorReplies } from "./error-replies.ts";
import { type Get, type ReadableStreams, ReadPlanner } from "./read-planner.ts";

/** What this gateway needs of the engine. */
export interface Streams extends ReadableStreams {
  startUpload(streamId: string, owner: UploadOwner, stream: NewStream): Upload;
  resumeUpload(streamId: string, owner: UploadOwner, stream: NewStream): Upload;
  /** As `resumeUpload`, but discards what an unfinished stream has. */
  restartUpload(streamId: string, owner: UploadOwner, stream: NewStream): Upload;
  assignReader(): RangeReader;
  readonly outbound: OutboundBudget;
}

/** The engine's function for each mode of START. */
const openers = { create: "startUpload", resume: "resumeUpload", restart: "restartUpload" } as const;

type RequestOf<Type> = Extract<Request, { type: Type }>;

/** What a session needs, besides its socket. */
export interface AudioCacheHost {
  streams: Streams;
  meter: GatewayMeter;
  log: Log;
}

export class AudioCacheSession implements Session, UploadOwner {
  readonly context: RequestContext;
  readonly #principal: Principal;
  readonly #streams: Streams;
  readonly #connection: Connection;
  readonly #errors: ErrorReplies;
  readonly #answers: Answers<Get>;
  /** Uploads that the peer started and has not stopped. */
  readonly #uploads = new Map<string, Upload>();
  /** The upload that binary frames belong to: the one started last. */
  #current: Upload | undefined;
  /** The upload that a START of the same peer is replacing: its end is no news to that peer. */
  #replaced: Upload | undefined;
  /** Uploads that hold audio, because their writers have no room. */
  readonly #held = new Set<Upload>();
  #hasRefusedAudio = false;

  constructor(
    socket: Socket,
    { principal, context }: Pick<Handshake, "principal" | "context">,
    { streams, meter, log }: AudioCacheHost,
  ) {
    this.context = context;
    this.#principal = principal;
    this.#streams = streams;
    this.#connection = new Connection(socket, meter);
    this.#errors = new ErrorReplies(meter, withFields(log, { requestId: context.requestId }));
    const planner = new ReadPlanner(streams, principal, this.#errors);
    this.#answers = new Answers(socket, streams.assignReader(), planner, streams.outbound, this.#connection);
  }

  get sender(): string {
    return this.#principal.name;
  }

  get account(): UploadOwner["account"] {
    return this.#principal.usage.account;
  }

  text(message: string): void {
    this.#hasRefusedAudio = false;
    if (message.length > maxControlChars) return this.#answers.text(this.#errors.tooLarge(maxControlChars));
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
    if (upload === undefined) return this.#refuseAudio();
    if (!upload.write(frame)) this.#setHeld(upload, true);
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
    this.#setHeld(upload, true);
  }

  uploadHasRoom(upload: Upload): void {
    this.#setHeld(upload, false);
  }

  uploadFailed(upload: Upload, error: WavecacheError): void {
    this.#setHeld(upload, false);
    if (this.#uploads.get(upload.streamId) !== upload || upload === this.#replaced) return;
    this.#answers.text(this.#errors.uploadFailed(upload.streamId, error));
  }

  async #start(request: RequestOf<"START">): Promise<void> {
    const { streamId, typeCase, mode, size } = request;
    if (streamId === undefined) return this.#refuse("Missing streamId", typeCase);
    const slot = this.#answers.reserveText();
    // Audio after this START belongs to this stream. If the server refuses it, the audio must not reach another stream.
    this.#current = undefined;
    let upload: Upload | undefined;
    try {
      upload = this.#openUpload(streamId, mode, size);
      const keptBytes = await upload.ready;
      const kept = mode === "create" ? undefined : { size: keptBytes, sha256: upload.keptSha256 };
      slot.fill(encodeStarted(typeCase, streamId, kept));
    } catch (error) {
      if (upload !== undefined) {
        this.#forget(upload);
        this.#setHeld(upload, false);
      }
      slot.fill(this.#errors.requestFailed(`Failed to create stream: ${streamId}`, error, typeCase));
    }
  }

  #openUpload(streamId: string, mode: StartMode, size: number | undefined): Upload {
    this.#principal.require("upload", resourceOf("streams", streamId));
    const isFull = this.#uploads.size >= maxStreamsPerConnection && !this.#uploads.has(streamId);
    if (isFull) throw new WavecacheError("STREAMS_EXHAUSTED");
    this.#replaced = this.#uploads.get(streamId);
    try {
      const upload = this.#principal.usage.openUpload(streamId, () =>
        this.#streams[openers[mode]](streamId, this, { size }),
      );
      this.#uploads.set(streamId, upload);
      this.#current = upload;
      return upload;
    } finally {
      this.#replaced = undefined;
    }
  }

  async #stop(request: RequestOf<"STOP">): Promise<void> {
    const { typeCase } = request;
    const streamId = request.streamId ?? this.#current?.streamId;
    if (streamId === undefined) return this.#refuse("Missing streamId", typeCase);
    const slot = this.#answers.reserveText();
    const upload = this.#uploads.get(streamId);
    if (upload !== undefined) this.#forget(upload);
    try {
      if (upload === undefined) throw new WavecacheError("STREAM_UNKNOWN");
      const { size, sha256 } = await upload.finish(request.sha256);
      slot.fill(encodeStopped(typeCase, streamId, size, sha256));
    } catch (error) {
      slot.fill(this.#errors.requestFailed(`Failed to finalize stream: ${streamId}`, error, typeCase));
    } finally {
      if (upload !== undefined) this.#setHeld(upload, false);
    }
  }

  #get({ streamId, offset, length, typeCase }: RequestOf<"GET">): void {
    if (streamId === undefined) return this.#refuse("Missing streamId", typeCase);
    this.#answers.read({ streamId, offset, length, typeCase });
  }

  #setHeld(upload: Upload, isHeld: boolean): void {
    if (isHeld) this.#held.add(upload);
    else this.#held.delete(upload);
    this.#connection.pauseAudio(this.#held.size > 0);
  }

  #forget(upload: Upload): void {
    if (this.#current === upload) this.#current = undefined;
    if (this.#uploads.get(upload.streamId) === upload) this.#uploads.delete(upload.streamId);
  }

  /** Sends one error for a run of frames: an error for each frame would flood the peer. */
  #refuseAudio(): void {
    if (this.#hasRefusedAudio) return;
    this.#hasRefusedAudio = true;
    this.#refuse("No active stream for binary data");
  }

  #refuse(message: string, typeCase?: TypeCase): void {
    this.#answers.text(this.#errors.protocolError(message, typeCase));
  }
}
