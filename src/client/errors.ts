/**
 * The errors of the client. `reason` is shown to the user, `hint` says what the user can do, `again` whether another
 * attempt may succeed.
 */
const table = {
  BAD_URL: {
    reason: "not a WebSocket address",
    hint: "use an address like ws://localhost:8080/audio",
    again: false,
  },
  BAD_ARGUMENT: { reason: "bad argument", hint: "see the documentation of this function", again: false },
  UNREACHABLE: {
    reason: "cannot reach the server",
    hint: "is it running, and are host and port right?",
    again: true,
  },
  CONNECT_TIMEOUT: {
    reason: "the server does not answer",
    hint: "is this the right address, and is the network up?",
    again: true,
  },
  CONNECTION_LOST: { reason: "connection lost", hint: "is the server still running?", again: true },
  ANSWER_TIMEOUT: {
    reason: "no answer in time",
    hint: "the server may be overloaded; try again later",
    again: true,
  },
  BUSY: { reason: "the server cannot do this now", hint: "try again in a moment", again: true },
  RESUME_REFUSED: {
    reason: "the server cannot resume this stream",
    hint: "start the upload again",
    again: true,
  },
  NOT_RESUMABLE: {
    reason: "the connection was lost, and the server cannot resume this stream",
    hint: "start the upload again under another id",
    again: false,
  },
  OTHER_AUDIO: {
    reason: "the server has other audio under this id",
    hint: "remove the stream, or upload under another id",
    again: false,
  },
  PREFIX_UNKNOWN: {
    reason: "the server does not tell which audio it has under this id",
    hint: "remove the stream, or upload under another id",
    again: false,
  },
  REFUSED: { reason: "the server refused", hint: "the server's message says why", again: false },
  UNEXPECTED: {
    reason: "the server violates the protocol",
    hint: "is this the address of an audio cache?",
    again: false,
  },
  TEXT_NOT_UTF8: {
    reason: "the server sends bytes that are not UTF-8 as text, which WebSockets do not allow",
    hint: "it has to send audio in binary frames; the command line client downloads from it all the same",
    again: false,
  },
  INCOMPLETE: {
    reason: "the server has less of the stream than expected",
    hint: "upload the file again",
    again: false,
  },
  OTHER_PROTOCOL: {
    reason: "the server does not speak protocol v1",
    hint: "use the older protocol, or update the server",
    again: false,
  },
  CLOSED: {
    reason: "the client was closed",
    hint: "wait for open calls before closing it, or connect again",
    again: false,
  },
  MISMATCH: {
    reason: "verification failed",
    hint: "the data differs from the original; try again",
    again: false,
  },
  SOURCE_CHANGED: {
    reason: "the file changed while it was read",
    hint: "upload it again when nothing writes to it",
    again: false,
  },
  BAD_AUDIO: {
    reason: "this audio cannot be sent",
    hint: "convert it first, for example: ffmpeg -i FILE -c:a pcm_s16le out.wav",
    again: false,
  },
  NO_RECORDER: {
    reason: "the server does not record",
    hint: "recordings and live audio need a Wavecache server: is this its main port?",
    again: false,
  },
  NO_DEVICES: {
    reason: "the server has no devices",
    hint: "the list of devices needs a Wavecache server: is this its main port?",
    again: false,
  },
  TAKEN_OVER: {
    reason: "the server ended the connection",
    hint: "has another device connected with the same id?",
    again: false,
  },
  NO_HTTP_API: {
    reason: "the server has no stream list",
    hint: "listing, details and removal need a Wavecache server: is this its main port?",
    again: false,
  },
  CERTIFICATE_UNTRUSTED: {
    reason: "the server's certificate is not trusted",
    hint: "give the certificate to trust with --ca FILE; a self-signed one is the server's cache/tls/cert.pem",
    again: false,
  },
  CERTIFICATE_OF_OTHER_HOST: {
    reason: "the server's certificate is for another host",
    hint: "use a host name from the certificate; --insecure disables certificate verification",
    again: false,
  },
  CERTIFICATE_EXPIRED: {
    reason: "the server's certificate has expired",
    hint: "renew it on the server, and check this machine's clock",
    again: false,
  },
  CERTIFICATE_TOO_NEW: {
    reason: "the server's certificate is not valid yet",
    hint: "check the clocks of both machines",
    again: false,
  },
  NO_TLS: {
    reason: "the server does not speak TLS here",
    hint: "is this the right port? Without TLS the address begins with ws:// or http://",
    again: false,
  },
  SONG_UNKNOWN: {
    reason: "no such song",
    hint: "the command songs lists the songs of a Wavecache server",
    again: false,
  },
  NO_RELIABLE_UDP: {
    reason: "the server does not speak reliable UDP",
    hint: "use the older UDP protocol, or TLS",
    again: false,
  },
  READER_TOO_SLOW: {
    reason: "the song arrived faster than it was read",
    hint: "write it to a file first: the older UDP protocol has no backpressure",
    again: false,
  },
  NO_HOOKS: {
    reason: "the server has no webhooks in its API",
    hint: "webhooks need a Wavecache server: is this its main port?",
    again: false,
  },
  NO_SONGS: {
    reason: "the server has no songs",
    hint: "songs need a Wavecache server: is this its main port?",
    again: false,
  },
} as const satisfies Record<string, { reason: string; hint: string; again: boolean }>;

export type ClientErrorCode = keyof typeof table;

/** An error of the table. `message` and `hint` may hold text of a server: escape it before it goes to a terminal. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  readonly detail: string | undefined;
  readonly hint: string;
  /** The server's error code, if it sent one. */
  readonly serverCode: string | undefined;
  /** Whether another attempt may succeed. */
  readonly again: boolean;

  constructor(
    code: ClientErrorCode,
    detail?: string,
    hint?: string,
    { serverCode, again = table[code].again }: { serverCode?: string; again?: boolean } = {},
  ) {
    super(detail === undefined || detail === "" ? table[code].reason : `${table[code].reason}: ${detail}`);
    this.name = "ClientError";
    this.code = code;
    this.detail = detail;
    this.hint = hint ?? table[code].hint;
    this.serverCode = serverCode;
    this.again = again;
  }

  /** The same error for callers above, which must not retry: the retries are used up. */
  final(): ClientError {
    const { code, detail, hint, serverCode } = this;
    return new ClientError(code, detail, hint, { serverCode, again: false });
  }
}
