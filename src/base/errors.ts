/**
 * The one table of what can go wrong. A code is stable and appears in logs, HTTP bodies and tests; `reason` is
 * what a user reads, `hint` what the operator or the user can do. The rest is what each door says: the HTTP
 * status, the WebSocket close code (where the error ends a connection) and the gRPC status.
 *
 * Codes cross threads as their index in `errorCodes`, so new ones are added at the end.
 */
const table = {
  BAD_REQUEST: {
    reason: "bad request",
    hint: "see the protocol description for what this request must hold",
    http: 400,
    close: 1008,
    grpc: 3,
  },
  BAD_STREAM_ID: {
    reason: "stream id not allowed",
    hint: "use 1 to 128 letters, digits, '-', '_' or '.', but not '.' or '..'",
    http: 400,
    close: 1008,
    grpc: 3,
  },
  STREAM_EXISTS: {
    reason: "stream id already in use",
    hint: "choose another id, remove the stream, or resume it if it is unfinished",
    http: 409,
    close: 1008,
    grpc: 6,
  },
  STREAM_UNKNOWN: {
    reason: "no such stream",
    hint: "list the streams to see which ids exist",
    http: 404,
    close: 1008,
    grpc: 5,
  },
  STREAM_UNFINISHED: {
    reason: "stream is unfinished",
    hint: "resume the upload and finish it, or wait until it expires",
    http: 409,
    close: 1008,
    grpc: 9,
  },
  STREAM_FINISHED: {
    reason: "stream is already finished",
    hint: "a finished stream never changes; start another one",
    http: 409,
    close: 1008,
    grpc: 9,
  },
  STREAM_TAKEN_OVER: {
    reason: "another connection has resumed this stream",
    hint: "only the connection that resumed last may write",
    http: 409,
    close: 1008,
    grpc: 10,
  },
  STREAM_TOO_LARGE: {
    reason: "stream is larger than allowed",
    hint: "raise --max-stream-bytes or split the audio",
    http: 413,
    close: 1009,
    grpc: 8,
  },
  STREAMS_EXHAUSTED: {
    reason: "too many unfinished streams on this connection",
    hint: "finish streams before starting more, or use another connection",
    http: 429,
    close: 1013,
    grpc: 8,
  },
  CONNECTIONS_EXHAUSTED: {
    reason: "too many connections",
    hint: "try again later, or raise --max-connections",
    http: 503,
    close: 1013,
    grpc: 8,
  },
  REQUESTS_EXHAUSTED: {
    reason: "too many requests waiting for an answer",
    hint: "read answers before sending more requests",
    http: 429,
    close: 1013,
    grpc: 8,
  },
  CACHE_FULL: {
    reason: "cache is full",
    hint: "remove streams or raise --max-cache-bytes; nothing was thrown away",
    http: 507,
    close: 1013,
    grpc: 8,
  },
  DISK_FULL: {
    reason: "disk is full",
    hint: "free space on the disk of the cache folder; what was written is kept",
    http: 507,
    close: 1013,
    grpc: 8,
  },
  STORE_UNWRITABLE: {
    reason: "cache folder cannot be written",
    hint: "check owner and mode of the cache folder",
    http: 507,
    close: 1011,
    grpc: 13,
  },
  STORE_FAILED: {
    reason: "storage failed",
    hint: "see the server's log",
    http: 500,
    close: 1011,
    grpc: 13,
  },
  OBJECT_MISSING: {
    reason: "the audio of this stream is missing from the cache folder",
    hint: "it was removed or damaged from outside; remove the stream and upload it again",
    http: 500,
    close: 1011,
    grpc: 15,
  },
  NO_DATA: {
    reason: "no data there",
    hint: "ask for an offset below the stream's size",
    http: 416,
    close: 1008,
    grpc: 11,
  },
  READ_TOO_LARGE: {
    reason: "answer would be larger than allowed",
    hint: "ask for a shorter range",
    http: 413,
    close: 1009,
    grpc: 8,
  },
  MESSAGE_TOO_LARGE: {
    reason: "message is larger than allowed",
    hint: "control messages are short; send audio in binary frames",
    http: 413,
    close: 1009,
    grpc: 8,
  },
  WORKER_LOST: {
    reason: "the worker of this stream died",
    hint: "resume the stream; see the server's log for the cause",
    http: 500,
    close: 1011,
    grpc: 14,
  },
  SHUTTING_DOWN: {
    reason: "server is shutting down",
    hint: "connect again in a moment",
    http: 503,
    close: 1001,
    grpc: 14,
  },
  PEER_STALLED: {
    reason: "peer does not read its answers",
    hint: "read faster or ask for less at once",
    http: 408,
    close: 1008,
    grpc: 4,
  },
  STORE_IN_USE: {
    reason: "cache folder is in use by another server",
    hint: "end the other server, or give this one another --cache-dir",
    http: 500,
    close: 1011,
    grpc: 9,
  },
  STORE_TOO_NEW: {
    reason: "cache folder was made by a newer version",
    hint: "run that version, or use another --cache-dir",
    http: 500,
    close: 1011,
    grpc: 9,
  },
  RECORDING_UNKNOWN: {
    reason: "no such stream is being recorded now",
    hint: "ask while the device sends, by its hardware id or by the id of its stream",
    http: 404,
    close: 1008,
    grpc: 5,
  },
  LISTENERS_EXHAUSTED: {
    reason: "too many listeners",
    hint: "try again later",
    http: 503,
    close: 1013,
    grpc: 8,
  },
  CERTIFICATE_UNUSABLE: {
    reason: "the certificate cannot be used",
    hint: "give --tls-cert and --tls-key a certificate and its key in PEM, or neither for a self-signed one",
    http: 500,
    close: 1011,
    grpc: 13,
  },
  SOUND_UNKNOWN: {
    reason: "no sound for this mode",
    hint: "put startup.wav, or mode_1.wav to mode_5.wav, into the folder of --library-dir",
    http: 404,
    close: 1008,
    grpc: 5,
  },
  BAD_DEVICE_ID: {
    reason: "device id missing or not allowed",
    hint: "send one device_id of 1 to 128 letters, digits, '-', '_', '.' or ':' in the metadata",
    http: 400,
    close: 1008,
    grpc: 3,
  },
  DEVICE_UNKNOWN: {
    reason: "no such device",
    hint: "list the devices to see which ids exist",
    http: 404,
    close: 1008,
    grpc: 5,
  },
  DEVICE_AWAY: {
    reason: "device is not connected",
    hint: "try again when it is",
    http: 409,
    close: 1008,
    grpc: 9,
  },
  DEVICES_EXHAUSTED: {
    reason: "too many devices",
    hint: "try again later, or give some of them another server",
    http: 503,
    close: 1013,
    grpc: 8,
  },
  MESSAGES_EXHAUSTED: {
    reason: "too many messages in a short time",
    hint: "send fewer messages a second, and connect again",
    http: 429,
    close: 1008,
    grpc: 8,
  },
  SONG_UNKNOWN: {
    reason: "no such song",
    hint: "list the songs to see their names; what is no name below the library is refused too",
    http: 404,
    close: 1008,
    grpc: 5,
  },
  SONG_CHANGED: {
    reason: "the song changed while it was read",
    hint: "ask again when nothing writes to its file; replace files by renaming new ones over them",
    http: 409,
    close: 1011,
    grpc: 10,
  },
  LIBRARY_UNUSABLE: {
    reason: "library folder cannot be used",
    hint: "check --library-dir, and its owner and mode",
    http: 500,
    close: 1011,
    grpc: 9,
  },
  CHECKSUM_WRONG: {
    reason: "audio was changed on its way",
    hint: "resume the stream; nothing of the changed message was kept",
    http: 400,
    close: 1008,
    grpc: 15,
  },
  OFFSET_WRONG: {
    reason: "audio does not go on where the stream ends",
    hint: "resume the stream and send from the offset in the answer",
    http: 409,
    close: 1008,
    grpc: 11,
  },
  CREDIT_EXCEEDED: {
    reason: "more sent than there was credit for",
    hint: "wait for credit before sending more, for the channel and for the connection",
    http: 429,
    close: 1008,
    grpc: 8,
  },
  SOUND_UNREADABLE: {
    reason: "sound cannot be read",
    hint: "replace its file by WAV, MP3 or Opus in Ogg; the server's log says what is wrong with it",
    http: 500,
    close: 1011,
    grpc: 9,
  },
  SOUND_TOO_LONG: {
    reason: "sound is longer than allowed",
    hint: "a sound for devices may last an hour; cut its file",
    http: 413,
    close: 1009,
    grpc: 9,
  },
  SOUNDS_EXHAUSTED: {
    reason: "too many sounds are played at once",
    hint: "try again when some of them are over",
    http: 503,
    close: 1013,
    grpc: 8,
  },
  FOREIGN_ORIGIN: {
    reason: "the page of another site has asked for this",
    hint: "use the command line, or a page of this server",
    http: 403,
    close: 1008,
    grpc: 7,
  },
  ADDRESS_REFUSED: {
    reason: "requests from this address are not answered",
    hint: "add its network to --udp-allow",
    http: 403,
    close: 1008,
    grpc: 7,
  },
  TRANSFERS_EXHAUSTED: {
    reason: "too many songs are being sent",
    hint: "try again later",
    http: 503,
    close: 1013,
    grpc: 8,
  },
  TRANSFER_UNKNOWN: {
    reason: "no such transfer",
    hint: "the server was started again or has waited too long; ask for the song again",
    http: 404,
    close: 1008,
    grpc: 5,
  },
} as const satisfies Record<string, ErrorRow>;

interface ErrorRow {
  reason: string;
  hint: string;
  http: number;
  close: number;
  grpc: number;
}

export type ErrorCode = keyof typeof table;

export const errorCodes = Object.keys(table) as ErrorCode[];

/** What the table says of a code. */
export function errorRow(code: ErrorCode): ErrorRow {
  return table[code];
}

/** An error of the table. `detail` is for the log and may name files; it is never sent to a peer. */
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

/** The number under which a code crosses a lane; 0 stands for "no error". */
export function errorNumber(code: ErrorCode): number {
  return errorCodes.indexOf(code) + 1;
}

/** The error behind a number from a lane; a number that no code has is a fault of ours. */
export function errorOfNumber(number: number, detail?: string): WavecacheError {
  const code = errorCodes[number - 1];
  if (code === undefined) throw new RangeError(`no error has the number ${number}`);
  return new WavecacheError(code, detail);
}

/** Sorts an error of the operating system, or any other, into the table; an error of the table stays as it is. */
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
    case "SQLITE_READONLY":
    case "SQLITE_CANTOPEN":
      return "STORE_UNWRITABLE";
    default:
      return "STORE_FAILED";
  }
}
