/**
 * The table of everything that can go wrong. A code is stable: it appears in logs, HTTP bodies, metrics and tests.
 * `reason` is the message that a user reads, `hint` what the user or the operator can do about it. Each protocol
 * answers with its own column: the HTTP status, the WebSocket close code (where the error ends a connection) and the
 * gRPC status.
 */

import { formatTime } from "./format-time.ts";
import { commandPrefix } from "./program.ts";

/** WebSocket close codes (RFC 6455, section 7.4.1, and the IANA registry). */
const close = {
  GOING_AWAY: 1001,
  POLICY: 1008,
  TOO_BIG: 1009,
  INTERNAL: 1011,
  TRY_LATER: 1013,
  /** Codes for applications begin at 4000; these repeat the HTTP status. */
  UNAUTHENTICATED: 4401,
  FORBIDDEN: 4403,
} as const;

/** gRPC status codes (grpc/doc/statuscodes.md). */
const grpc = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

interface ErrorRow {
  http: number;
  close: number;
  grpc: number;
  reason: string;
  hint: string;
}

function row(http: number, close: number, grpc: number, reason: string, hint: string): ErrorRow {
  return { http, close, grpc, reason, hint };
}

// A code takes two lines here, whatever the formatter would make of it.
// prettier-ignore
const table = {
  // Requests, messages and connections
  BAD_REQUEST: row(400, close.POLICY, grpc.INVALID_ARGUMENT, "bad request",
    "see the documentation of the protocol for the fields of this request"),
  ROUTE_UNKNOWN: row(404, close.POLICY, grpc.UNIMPLEMENTED, "nothing is served at this address",
    "GET /api/openapi.json lists all operations"),
  METHOD_NOT_ALLOWED: row(405, close.POLICY, grpc.UNIMPLEMENTED, "method not allowed here",
    "the Allow header lists the methods of this address"),
  PRECONDITION_FAILED: row(412, close.POLICY, grpc.FAILED_PRECONDITION, "precondition of the request failed",
    "the audio is not what If-Match, If-None-Match or If-Unmodified-Since asks for; ask again without the header"),
  MESSAGE_TOO_LARGE: row(413, close.TOO_BIG, grpc.RESOURCE_EXHAUSTED, "message is larger than allowed",
    "control messages are short; send audio in binary frames"),
  MEDIA_TYPE_REFUSED: row(415, close.POLICY, grpc.INVALID_ARGUMENT, "media type of the body not supported here",
    "see the documentation of this operation for the Content-Type that it takes"),
  TUS_VERSION_REFUSED: row(412, close.POLICY, grpc.FAILED_PRECONDITION, "version of tus missing or not supported",
    "send the header Tus-Resumable: 1.0.0"),
  CHECKED_TOO_LARGE: row(413, close.TOO_BIG, grpc.RESOURCE_EXHAUSTED, "body with a checksum is larger than allowed",
    "send up to 8 MiB in each request with Upload-Checksum, or leave the header out"),
  READ_TOO_LARGE: row(413, close.TOO_BIG, grpc.RESOURCE_EXHAUSTED, "answer would be larger than allowed",
    "ask for a shorter range"),
  REQUESTS_EXHAUSTED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many unanswered requests",
    "read answers before sending more requests"),
  CREDIT_EXCEEDED: row(429, close.POLICY, grpc.RESOURCE_EXHAUSTED, "more audio sent than the credit allows",
    "wait for credit of both the channel and the connection before sending more"),
  CHECKSUM_WRONG: row(460, close.POLICY, grpc.DATA_LOSS, "audio does not match its checksum",
    "resume the stream; the damaged message was discarded"),
  CONNECTIONS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many connections",
    "try again later, or raise --max-connections"),
  ADDRESS_EXHAUSTED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many connections of this address",
    "close some, or raise --max-connections-per-address"),
  DESCRIPTORS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many open files",
    "try again later, or raise the server's limit of open files (ulimit -n)"),
  PEER_SILENT: row(408, close.POLICY, grpc.DEADLINE_EXCEEDED, "no first message in time",
    "connect when there is something to send"),
  MESSAGE_UNFINISHED: row(408, close.POLICY, grpc.DEADLINE_EXCEEDED, "message was not completed in time",
    "send shorter messages over a slow link"),
  BODY_MISSING: row(411, close.POLICY, grpc.INVALID_ARGUMENT, "request brings no audio",
    "send it as the body, with Content-Length or in chunks, or as the file of a form"),
  FORM_TOO_LARGE: row(413, close.TOO_BIG, grpc.RESOURCE_EXHAUSTED, "form has too many parts",
    "send fewer files at once; those before are stored"),
  BODY_STALLED: row(408, close.POLICY, grpc.DEADLINE_EXCEEDED, "the rest of the body does not come",
    "send it again; a stream stays unfinished, and can be resumed"),
  PEER_STALLED: row(408, close.POLICY, grpc.DEADLINE_EXCEEDED, "peer does not read its answers",
    "read faster, or request less at once"),
  PEER_UNRESPONSIVE: row(408, close.TRY_LATER, grpc.DEADLINE_EXCEEDED, "peer does not answer pings",
    "connect again, and answer pings with pongs (RFC 6455, section 5.5)"),
  BAD_HOST: row(400, close.POLICY, grpc.INVALID_ARGUMENT, "Host header missing or malformed",
    "send one Host header with a name or an address, and the port"),
  HOST_REFUSED: row(421, close.POLICY, grpc.PERMISSION_DENIED, "this server is not known by that host name",
    "add the name to --allow-host, or use the server's address"),
  FOREIGN_ORIGIN: row(403, close.POLICY, grpc.PERMISSION_DENIED, "pages of other sites are refused",
    "use the command line or a page that this server sent, or add the page's origin to --allow-origin"),
  ADDRESS_REFUSED: row(403, close.POLICY, grpc.PERMISSION_DENIED, "this address is not in --udp-allow",
    "add its network there, or use reliable UDP"),

  // Access
  UNAUTHENTICATED: row(401, close.UNAUTHENTICATED, grpc.UNAUTHENTICATED, "credential missing or wrong",
    `send a token that is valid, or ask the operator for one: ${commandPrefix} server token create`),
  FORBIDDEN: row(403, close.FORBIDDEN, grpc.PERMISSION_DENIED, "the credential does not allow this",
    "ask the operator for a token with a grant for this action and resource"),
  LINK_EXPIRED: row(410, close.FORBIDDEN, grpc.PERMISSION_DENIED, "the link has expired",
    "ask whoever shared it for a new one"),
  LINK_WRONG: row(403, close.FORBIDDEN, grpc.PERMISSION_DENIED, "the link is not valid",
    "copy the whole link, or ask whoever shared it for a new one"),
  GUESSES_EXHAUSTED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many wrong credentials of this address",
    "try again in a minute, with the right one"),
  TOKEN_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such token",
    "list the tokens to see their ids; a revoked one cannot be revoked again"),
  SESSION_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such session",
    "list the sessions to see their ids; one that is over cannot be ended again"),
  TOKENS_EXHAUSTED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many tokens",
    "revoke some that are not used; a token that has ended gives its place to a new one"),
  TOKEN_LIMIT_REACHED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "a limit of the token is reached",
    "end something that uses the token, or ask the operator for one with higher limits"),
  CREDENTIALS_UNUSABLE: row(500, close.INTERNAL, grpc.INTERNAL, "keys of credentials cannot be used",
    "check the files that --jwt-secret-file, --jwt-jwks, --link-key-file and --mqtt-credentials-file name"),
  ACCESS_UNDECIDED: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "everybody on the network could use this server",
    `create a token with \`${commandPrefix} server token create --grant "*"\`, or let everybody use it with \`--open\``),

  // The server
  CONFIG_INVALID: row(422, close.POLICY, grpc.INVALID_ARGUMENT, "the configuration is wrong",
    "nothing has changed; correct what the message names, and reload again"),
  STARTING: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "server is starting",
    "try again in a moment"),
  SHUTTING_DOWN: row(503, close.GOING_AWAY, grpc.UNAVAILABLE, "server is shutting down",
    "connect again in a moment"),
  WORKER_LOST: row(500, close.INTERNAL, grpc.UNAVAILABLE, "the worker of this stream died",
    "resume the stream; see the server's log for the cause"),
  CERTIFICATE_EXPIRED: row(503, close.INTERNAL, grpc.UNAVAILABLE, "the certificate has expired",
    "renew the files of --tls-cert and --tls-key: the server reads them again when they change"),
  CERTIFICATE_UNUSABLE: row(500, close.INTERNAL, grpc.INTERNAL, "the certificate cannot be used",
    "give --tls-cert and --tls-key a certificate and its key in PEM, or neither for a self-signed one"),

  // Streams
  BAD_STREAM_ID: row(400, close.POLICY, grpc.INVALID_ARGUMENT, "stream id not allowed",
    "use 1 to 128 letters, digits, '-', '_' or '.', but not '.' or '..'"),
  STREAM_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such stream",
    "list the streams to see which ids exist"),
  STREAM_EXISTS: row(409, close.POLICY, grpc.ALREADY_EXISTS, "stream id already in use",
    "choose another id, remove the stream, or resume it if it is unfinished"),
  STREAM_UNFINISHED: row(409, close.POLICY, grpc.FAILED_PRECONDITION, "stream is unfinished",
    "resume the upload and finish it, or wait until it expires"),
  STREAM_FINISHED: row(409, close.POLICY, grpc.FAILED_PRECONDITION, "stream is already finished",
    "a finished stream never changes; start another one"),
  STREAM_TAKEN_OVER: row(409, close.POLICY, grpc.ABORTED, "another connection has resumed this stream",
    "only the connection that resumed last may write"),
  STREAM_TOO_LARGE: row(413, close.TOO_BIG, grpc.RESOURCE_EXHAUSTED, "stream is larger than allowed",
    "raise --max-stream-bytes or split the audio"),
  LENGTH_EXCEEDED: row(413, close.POLICY, grpc.OUT_OF_RANGE, "more audio than the declared length",
    "send no more than the stream still lacks; a stream of another length is another stream"),
  STREAMS_EXHAUSTED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many unfinished streams",
    "finish or remove some before starting more; --max-unfinished-streams limits those of all connections"),
  OFFSET_WRONG: row(409, close.POLICY, grpc.OUT_OF_RANGE, "audio does not continue where the stream ends",
    "resume the stream and send from the offset in the answer"),
  DIGEST_WRONG: row(400, close.POLICY, grpc.DATA_LOSS, "audio does not match its sender's digest",
    "start again and send all of the audio; until then a stream stays unfinished"),
  NO_DATA: row(416, close.POLICY, grpc.OUT_OF_RANGE, "no data there",
    "ask for an offset below the stream's size"),
  OBJECT_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no stream has this audio",
    "upload it"),
  OBJECT_MISSING: row(500, close.INTERNAL, grpc.DATA_LOSS, "the audio of this stream is missing on disk",
    "another program removed or damaged it; remove the stream and upload it again"),
  OBJECT_DAMAGED: row(500, close.INTERNAL, grpc.DATA_LOSS, "this part of the audio is damaged on disk",
    "read the rest of the stream; upload the same audio again to repair it, and check the disk"),
  ARCHIVE_UNAVAILABLE: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "the archive cannot be reached",
    "try again later; the operator finds the reason in the log and at /readyz"),
  FETCHES_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many reads wait for the archive",
    "try again later; local audio is served meanwhile"),
  ARCHIVE_CHANGED: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "audio is in another archive alone",
    "start with the --archive that the catalog knows, or read that audio back first"),

  // The store
  CACHE_FULL: row(507, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "cache is full",
    "remove streams, raise --max-cache-bytes, --max-streams or the policy that refuses, or let --keep-streams evict"),
  DISK_FULL: row(507, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "disk is full",
    "free space on the disk of the folder that the server writes to; audio already written is kept"),
  STORE_UNWRITABLE: row(507, close.INTERNAL, grpc.INTERNAL, "folder cannot be written",
    "check that it is a folder, its owner and mode, and that its file system is not read-only"),
  STORE_FAILED: row(500, close.INTERNAL, grpc.INTERNAL, "storage failed",
    "the disk or its file system failed; see the logs of the server and of the system"),
  CATALOG_UNAVAILABLE: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "the catalog does not answer",
    "try again in a moment; the operator looks at the PostgreSQL server that --catalog names"),
  AUDIO_ELSEWHERE: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "the audio is on the disk of another node",
    "ask the node that has it; with an archive (--archive) every node has all finished audio"),
  UPLOAD_MOVING: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "the upload is being brought here from another node",
    "resume it again in a moment; it moves meanwhile"),
  CATALOG_BUSY: row(503, close.TRY_LATER, grpc.ABORTED, "the catalog could not make this change now",
    "nothing has changed; try again"),
  FENCED: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "another node has taken over what this node did",
    "connect again; the node continues by itself once it has opened the catalog anew"),
  KEEPER_LOST: row(503, close.INTERNAL, grpc.UNAVAILABLE, "the thread that keeps the catalog died",
    "it restarts by itself; see the server's log for the cause"),
  STORE_LOST: row(503, close.INTERNAL, grpc.DATA_LOSS, "cache folder was removed or replaced",
    "bring the folder back or mount its disk, then restart the server; until then it accepts no uploads"),
  RECORDINGS_LOST: row(503, close.INTERNAL, grpc.DATA_LOSS, "recordings folder was removed or replaced",
    "bring the folder back or mount its disk, then restart the server; until then it records nothing"),
  STORE_IN_USE: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "folder is in use by another server",
    "stop the other server, or give this one folders of its own with --cache-dir and --recordings-dir"),
  STORE_NOT_EMPTY: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "cache folder is not empty",
    "restore into an empty --cache-dir, or use --force: the catalog that is there moves to lost+found/"),
  BACKUP_UNUSABLE: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "folder is no usable backup",
    "give an empty folder or an earlier backup; to restore, one whose backup has completed"),
  CATALOG_LOST: row(500, close.INTERNAL, grpc.DATA_LOSS, "catalog is missing or damaged",
    `restore catalog.db, or run \`${commandPrefix} server doctor --rebuild-catalog\``),
  STORE_TOO_NEW: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "cache folder is of a newer version",
    "run the version that wrote it, or go back to the copy of the catalog from before the upgrade (docs/operations.md)"),

  PINS_EXHAUSTED: row(429, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many pinned ranges",
    "pin a longer range of time instead of several, or unpin some"),

  // Recordings
  RECORDING_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such recording",
    "list the recordings; to listen to one that runs, ask by hardware id or stream id while the device is sending"),
  RECORDING_GAP: row(409, close.POLICY, grpc.FAILED_PRECONDITION, "audio is missing in this period",
    "ask for gaps=silence or gaps=skip; the timeline has all gaps, with their reasons"),
  FORMAT_CHANGES: row(409, close.POLICY, grpc.FAILED_PRECONDITION, "sample rate or channels change in this period",
    "ask for the audio before and after the change, or for one rate with resample=RATE"),
  RATE_NOT_ENCODABLE: row(406, close.POLICY, grpc.FAILED_PRECONDITION, "sample rate cannot be encoded as Opus",
    "listen to it as WAV"),
  NODE_UNREACHABLE: row(503, close.TRY_LATER, grpc.UNAVAILABLE, "another node does not answer",
    "what is at this node still works; try again, or ask the node that has the device"),
  LISTENERS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many listeners",
    "try again later"),

  // Events
  HOOK_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such webhook",
    "GET /api/hooks lists them"),
  HOOK_SECRET_UNUSABLE: row(500, close.INTERNAL, grpc.INTERNAL, "the secret of webhooks cannot be used",
    "it is whsec_ and 24 to 64 bytes in base64; without the file the server makes one"),
  EVENTS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many readers of events",
    "close connections to /api/events that nobody needs"),

  // Songs
  SONG_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such song",
    "list the songs to see their names; a name is a path below the library folder"),
  BAD_SONG_NAME: row(400, close.POLICY, grpc.INVALID_ARGUMENT, "song name not allowed",
    "use folders and a file with '/' between them, none with a dot first, and no name that is a folder already"),
  SONG_EXISTS: row(409, close.POLICY, grpc.ALREADY_EXISTS, "a song has this name already",
    "to replace it, send If-Match with its ETag, or If-Match: * whatever it is now"),
  SONG_TOO_LARGE: row(413, close.TOO_BIG, grpc.RESOURCE_EXHAUSTED, "song is larger than allowed",
    "raise --max-song-bytes, or upload it as a stream"),
  LIBRARY_FULL: row(507, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "library has as many songs as it can list",
    "remove songs, or upload the audio as a stream"),
  SONG_CHANGED: row(409, close.INTERNAL, grpc.ABORTED, "the song changed while it was read",
    "ask again when no program writes to the file; replace files by renaming new ones over them"),
  LIBRARY_UNUSABLE: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "library folder cannot be used",
    "check that --library-dir is a folder, and its owner and mode"),
  TRANSFERS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many songs are being transferred",
    "try again later"),
  TRANSFER_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such transfer",
    "the server restarted or the transfer timed out; ask for the song again"),

  // Devices
  BAD_DEVICE_ID: row(400, close.POLICY, grpc.INVALID_ARGUMENT, "device id missing or not allowed",
    "send one device_id of 1 to 128 letters, digits, '-', '_', '.' or ':' in the metadata"),
  DEVICE_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such device",
    "list the devices to see which ids exist"),
  BUTTON_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no such button",
    "the buttons are connect, mode, stop and play"),
  DEVICE_AWAY: row(409, close.POLICY, grpc.FAILED_PRECONDITION, "device is not connected",
    "try again when the device is connected"),
  DEVICES_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many devices",
    "try again later, or connect some devices to another server"),
  MESSAGES_EXHAUSTED: row(429, close.POLICY, grpc.RESOURCE_EXHAUSTED, "too many messages in a short time",
    "connect again, and send fewer messages a second"),

  // Sounds
  SOUND_UNKNOWN: row(404, close.POLICY, grpc.NOT_FOUND, "no sound for this mode",
    "put startup.wav, or mode_1.wav to mode_5.wav, into the folder of --library-dir"),
  SOUND_UNREADABLE: row(500, close.INTERNAL, grpc.FAILED_PRECONDITION, "sound cannot be read",
    "replace the file by WAV, MP3 or Ogg Opus; the server's log has the cause"),
  SOUND_TOO_LONG: row(413, close.TOO_BIG, grpc.FAILED_PRECONDITION, "sound is longer than allowed",
    "shorten the file: a sound may last one hour"),
  SOUNDS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many sounds are playing",
    "try again when some of them have ended"),
  PEAKS_EXHAUSTED: row(503, close.TRY_LATER, grpc.RESOURCE_EXHAUSTED, "too many sounds are being measured",
    "try again later: peaks that were measured once are kept"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof table;

export const errorCodes = Object.keys(table) as ErrorCode[];

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(table, text);
}

/** The columns of a code. */
export function errorRow(code: ErrorCode): ErrorRow {
  return table[code];
}

/** Logged once, when they begin or end, and not for each peer that meets them. */
const lastingFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "STARTING",
  "SHUTTING_DOWN",
  "STORE_LOST",
  "RECORDINGS_LOST",
  "OBJECT_DAMAGED",
  "OBJECT_MISSING",
]);

/** Whether the log has a line about this fault already. */
export function isLastingFault(code: ErrorCode): boolean {
  return lastingFaults.has(code);
}

/** Whether a peer's error is the server's fault, and news for its log. */
export function isServerFault(code: ErrorCode): boolean {
  return table[code].http >= 500 && !isLastingFault(code);
}

/** An error of the table. `detail` is for the log and may name files; no peer ever gets it. */
export class WavecacheError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, detail?: string) {
    super(detail === undefined ? table[code].reason : `${table[code].reason}: ${detail}`);
    this.name = "WavecacheError";
    this.code = code;
    this.detail = detail;
  }
}

/** A query parameter or a header of a request is wrong. Its detail is written for the peer: it never repeats the value. */
export class ParameterError extends WavecacheError {
  readonly parameter: string;
  override readonly detail: string;

  constructor(parameter: string, detail: string) {
    super("BAD_REQUEST", `${parameter}: ${detail}`);
    this.name = "ParameterError";
    this.parameter = parameter;
    this.detail = detail;
  }
}

/** A reload found a mistake in the configuration. Its detail is written for the operator. */
export class ConfigInvalidError extends WavecacheError {
  override readonly detail: string;

  constructor(detail: string) {
    super("CONFIG_INVALID", detail);
    this.name = "ConfigInvalidError";
    this.detail = detail;
  }
}

/** Audio ends or changes at some time. Its detail is written for the peer. */
export class BoundaryError extends WavecacheError {
  /** The time, in RFC 3339. */
  readonly at: string;
  override readonly detail: string;

  constructor(code: ErrorCode, atUs: number, what: string) {
    const at = formatTime(atUs);
    const detail = `${what} at ${at}`;
    super(code, detail);
    this.name = "BoundaryError";
    this.at = at;
    this.detail = detail;
  }
}

/**
 * The number that stands for a code between threads; 0 stands for "no error". It is the position in the table, which
 * both threads have from the same build: it must never reach a disk or a peer.
 */
export function errorNumber(code: ErrorCode): number {
  return errorCodes.indexOf(code) + 1;
}

/** The error that another thread sent as a number; a number without a code is a bug. */
export function errorOfNumber(number: number, detail?: string): WavecacheError {
  const code = errorCodes[number - 1];
  if (code === undefined) throw new RangeError(`no error has the number ${number}`);
  return new WavecacheError(code, detail);
}

/** Maps an error of the operating system, or any other, to the table; an error of the table stays as it is. */
export function toWavecacheError(error: unknown): WavecacheError {
  if (error instanceof WavecacheError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new WavecacheError(codeOfSystemError(systemCode(error)), detail);
}

/** The `code` of a system error ("ENOSPC"), or undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function codeOfSystemError(code: string | undefined): ErrorCode {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
    case "SQLITE_FULL":
      return "DISK_FULL";
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
    case "SQLITE_READONLY":
    case "SQLITE_CANTOPEN":
      return "STORE_UNWRITABLE";
    case "EMFILE":
    case "ENFILE":
      return "DESCRIPTORS_EXHAUSTED";
    default:
      return "STORE_FAILED";
  }
}
