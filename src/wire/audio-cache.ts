/**
 * The audio cache protocol: JSON control messages in text frames, raw audio in binary frames.
 *
 *     client                          server
 *     START {streamId}         ->     STARTED {streamId, message}
 *     audio, audio, ...        ->
 *     STOP {streamId?, sha256?}  ->   STOPPED {streamId, message, size, sha256}
 *     GET {streamId, offset?, length?} ->  one binary frame
 *                                     ERROR {message} instead of any answer
 *
 * START may tell the `size` of the whole stream, so that one that is too large is refused before its audio is sent.
 * START with `resume` or `restart` continues an unfinished stream or replaces it: STARTED then has the `offset` to send
 * from and the `sha256` of the bytes before it.
 *
 * The protocol is older than this program: its peers, in a dozen languages, differ in case, spacing, key order and the
 * name of the stream id field. Decoders here are tolerant. Encoders are strict: compact JSON, the keys in the order
 * above, no null.
 */
import { defaultReadBytes } from "../base/limits/streams.ts";

type ReplyType = "CONNECTED" | "STARTED" | "STOPPED" | "ERROR";

/** The case of a request's type; the answer uses the same case. */
export type TypeCase = "upper" | "lower" | "capital";

/** What START does with an unfinished stream of its id: refuses, continues it, or discards what it has. */
export type StartMode = "create" | "resume" | "restart";

/** A control message to the server. `streamId` is undefined where the message has none. */
export type Request =
  | {
      type: "START";
      typeCase: TypeCase;
      streamId: string | undefined;
      mode: StartMode;
      size: number | undefined;
    }
  | { type: "STOP"; typeCase: TypeCase; streamId: string | undefined; sha256: string | undefined }
  | { type: "GET"; typeCase: TypeCase; streamId: string | undefined; offset: number; length: number };

/** Why a text frame is not a request; `message` is the text that existing peers expect. */
export interface Malformed {
  type: "MALFORMED";
  message: string;
}

/** A control message from the server, as a client reads it. */
export type Reply =
  | { type: "CONNECTED"; message: string }
  | {
      type: "STARTED";
      streamId: string | undefined;
      offset: number | undefined;
      /** Of the bytes before `offset`. */
      sha256: string | undefined;
      resumable: boolean;
    }
  | { type: "STOPPED"; streamId: string | undefined; size: number | undefined; sha256: string | undefined }
  | { type: "ERROR"; message: string };

/** Decodes a text frame at the server. Returns a value for any text and never throws. */
export function decodeRequest(text: string): Request | Malformed {
  const fields = parseObject(text);
  if (fields === undefined) return { type: "MALFORMED", message: "Invalid JSON format" };
  const spelled = fields.type;
  if (typeof spelled !== "string") return { type: "MALFORMED", message: "Unknown message type: " };
  const streamId = textField(fields.streamId);
  const typeCase = caseOf(spelled);
  switch (spelled.toUpperCase()) {
    case "START":
      return decodeStart(fields, typeCase, streamId);
    case "STOP":
      return decodeStop(fields, typeCase, streamId);
    case "GET":
      return decodeGet(fields, typeCase, streamId);
    default:
      return { type: "MALFORMED", message: `Unknown message type: ${spelled.slice(0, 64)}` };
  }
}

function decodeStart(
  fields: Record<string, unknown>,
  typeCase: TypeCase,
  streamId: string | undefined,
): Request {
  // Clients that are older than this field may use its name for something else.
  const size = countField(fields.size, undefined);
  return { type: "START", typeCase, streamId, mode: startModeOf(fields), size };
}

function startModeOf({ resume, restart }: Record<string, unknown>): StartMode {
  if (restart === true) return "restart";
  return resume === true ? "resume" : "create";
}

function decodeStop(
  fields: Record<string, unknown>,
  typeCase: TypeCase,
  streamId: string | undefined,
): Request | Malformed {
  const sha256 = textField(fields.sha256)?.toLowerCase();
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    return { type: "MALFORMED", message: "Invalid sha256" };
  }
  return { type: "STOP", typeCase, streamId, sha256 };
}

function decodeGet(
  fields: Record<string, unknown>,
  typeCase: TypeCase,
  streamId: string | undefined,
): Request | Malformed {
  const offset = countField(fields.offset, 0);
  const length = countField(fields.length, defaultReadBytes);
  if (offset === undefined) return { type: "MALFORMED", message: "Invalid offset" };
  if (length === undefined) return { type: "MALFORMED", message: "Invalid length" };
  return { type: "GET", typeCase, streamId, offset, length };
}

/** The greeting that one family of clients waits for. */
export function encodeConnected(): string {
  return '{"type":"CONNECTED","message":"Connection established"}';
}

/** What the server has of a stream: a byte count, and the SHA-256 of these bytes in lower-case hex. */
export interface Prefix {
  size: number;
  sha256: string;
}

/** STARTED. `kept` is for a resumed upload: its size is the offset at which the client continues. */
export function encodeStarted(typeCase: TypeCase, streamId: string, kept?: Prefix): string {
  return JSON.stringify({
    type: spell("STARTED", typeCase),
    streamId,
    message: kept === undefined ? "Stream started successfully" : "Stream resumed successfully",
    resumable: true,
    offset: kept?.size,
    sha256: kept?.sha256,
  });
}

/** STOPPED with the stream's size in bytes and its SHA-256 in lower-case hex. */
export function encodeStopped(typeCase: TypeCase, streamId: string, size: number, sha256: string): string {
  return JSON.stringify({
    type: spell("STOPPED", typeCase),
    streamId,
    message: "Stream finalized successfully",
    size,
    sha256,
  });
}

export function encodeError(message: string, typeCase: TypeCase = "upper"): string {
  return JSON.stringify({ type: spell("ERROR", typeCase), message });
}

/** START. Every server accepts `create`; only one that announced `resumable` understands the other modes. */
export function encodeStart(streamId: string, mode: StartMode = "create"): string {
  const key = mode === "create" ? {} : { [mode]: true };
  return JSON.stringify({ type: "START", streamId, ...key });
}

/** STOP. Only a server that announced `resumable` refuses to finish a stream that does not match `sha256`. */
export function encodeStop(streamId: string, sha256?: string): string {
  return JSON.stringify({ type: "STOP", streamId, sha256 });
}

/** GET of `length` bytes from byte `offset`. At least 1 byte: some servers fail on 0. */
export function encodeGet(streamId: string, offset: number, length: number): string {
  return JSON.stringify({ type: "GET", streamId, offset, length });
}

/** Decodes a text frame at the client; undefined for text that is not a control message of a server. */
export function decodeReply(text: string): Reply | undefined {
  const fields = parseObject(text);
  if (fields === undefined || typeof fields.type !== "string") return undefined;
  const message = textField(fields.message) ?? "";
  const streamId = textField(fields.streamId) ?? textField(fields.stream_id);
  switch (fields.type.toUpperCase()) {
    case "CONNECTED":
      return { type: "CONNECTED", message };
    case "STARTED":
      return {
        type: "STARTED",
        streamId,
        offset: countField(fields.offset, undefined),
        sha256: textField(fields.sha256)?.toLowerCase(),
        resumable: fields.resumable === true,
      };
    case "STOPPED":
      return {
        type: "STOPPED",
        streamId,
        size: countField(fields.size, undefined),
        sha256: textField(fields.sha256)?.toLowerCase(),
      };
    case "ERROR":
      return { type: "ERROR", message };
    default:
      return undefined;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A non-empty string; null, absent, empty and other types count as absent. */
function textField(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A whole number of bytes from 0 up; null and absent give `fallback`, anything else undefined. */
function countField<T>(value: unknown, fallback: T): number | T | undefined {
  if (value === undefined || value === null) return fallback;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function caseOf(spelled: string): TypeCase {
  if (spelled === spelled.toLowerCase()) return "lower";
  return spelled.slice(1) === spelled.slice(1).toLowerCase() ? "capital" : "upper";
}

function spell(type: ReplyType, typeCase: TypeCase): string {
  if (typeCase === "upper") return type;
  return typeCase === "lower" ? type.toLowerCase() : type[0] + type.slice(1).toLowerCase();
}
