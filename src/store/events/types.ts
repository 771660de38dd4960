/**
 * The types of events, and what the data of each says. The outbox, the HTTP API, the webhooks and `docs/events.md` all use
 * these. A type is stable: fields may be added, never changed or removed.
 */
import * as v from "valibot";

const streamId = v.pipe(v.string(), v.description("Id of the stream."));
const bytes = (what: string) => v.pipe(v.number(), v.integer(), v.minValue(0), v.description(what));
const name = v.pipe(v.nullable(v.string()), v.description("The tag `name` of the stream."));
const device = v.pipe(v.nullable(v.string()), v.description("Hardware id of the device, if it sent one."));
const count = (what: string) => v.pipe(v.number(), v.integer(), v.minValue(0), v.description(what));
const ms = (what: string) => v.pipe(v.number(), v.integer(), v.description(what));
const deviceId = v.pipe(v.string(), v.description("Id of the device."));
const mode = v.pipe(v.number(), v.integer(), v.description("Mode whose sound it is, 0 to 5."));

const recordingName = v.pipe(v.string(), v.description("Path of the files, without `.wav` and `.bin`."));
const liveFormat = {
  device,
  streamId: v.pipe(v.number(), v.description("Number of the live stream, as the device sent it.")),
  codec: v.picklist(["pcm", "adpcm"]),
  sampleRate: v.pipe(v.number(), v.description("In Hz.")),
  channels: v.number(),
};

/** Why the server removed a stream by itself. */
const expiryReasons = ["idle", "room", "age", "limit"] as const;
/** Why a stream is gone otherwise. */
const removalReasons = ["request", "restart", "lost"] as const;

const soundFields = { deviceId, mode };
const soundingFields = { device, streamId: liveFormat.streamId, atMs: ms("Milliseconds since 1970.") };

/** The description, subject and data of each type. */
export const eventTypes = {
  "stream.started": {
    description: "An upload of a new stream has begun.",
    subject: "streams/ID",
    data: v.strictObject({ streamId, name }),
  },
  "stream.finished": {
    description: "A stream is complete and durable.",
    subject: "streams/ID",
    data: v.strictObject({
      streamId,
      name,
      size: bytes("Bytes."),
      sha256: v.string(),
      format: v.pipe(v.nullable(v.string()), v.description("MIME type that its first bytes show.")),
    }),
  },
  "stream.removed": {
    description:
      "A stream was removed: by request, by an upload that restarts it, or because its file is lost.",
    subject: "streams/ID",
    data: v.strictObject({
      streamId,
      name,
      size: bytes("Bytes that it had."),
      finished: v.boolean(),
      reason: v.picklist(removalReasons),
    }),
  },
  "stream.expired": {
    description:
      "The server removed a stream by its rules: an interrupted upload that nobody resumed (`idle`) or whose room " +
      "was needed (`room`), or a stream that is too old (`age`) or over a limit of retention (`limit`).",
    subject: "streams/ID",
    data: v.strictObject({
      streamId,
      name,
      size: bytes("Bytes that it had."),
      finished: v.boolean(),
      reason: v.picklist(expiryReasons),
    }),
  },
  "upload.interrupted": {
    description: "An upload lost its connection, and can be resumed. A crash of the server writes none.",
    subject: "streams/ID",
    data: v.strictObject({ streamId, name, size: bytes("Bytes that a resume continues after.") }),
  },
  "recording.opened": {
    description: "A segment of a live stream is being recorded.",
    subject: "recordings/DEVICE",
    data: v.strictObject({ name: recordingName, ...liveFormat, startedAtMs: ms("Milliseconds since 1970.") }),
  },
  "recording.closed": {
    description: "A recorded segment is complete, durable and listed.",
    subject: "recordings/DEVICE",
    data: v.strictObject({
      id: v.pipe(v.number(), v.description("Id of the recording, as in `/api/recordings/ID/audio`.")),
      name: recordingName,
      ...liveFormat,
      startedAtMs: ms("Milliseconds since 1970."),
      endedAtMs: ms("Milliseconds since 1970."),
      samples: count("Samples per channel."),
      gaps: count("Breaks in the sequence numbers."),
      lostFrames: count("Frames that are missing there."),
      wavBytes: bytes("Bytes of the `.wav`."),
      wavSha256: v.string(),
    }),
  },
  "recording.removed": {
    description: "A recording is no longer listed: its files were removed, or retention removed it.",
    subject: "recordings/DEVICE",
    data: v.strictObject({
      id: v.number(),
      name: recordingName,
      device,
      reason: v.picklist(["files-gone", "age", "limit", "request"]),
    }),
  },
  "device.connected": {
    description: "A device has opened its first stream.",
    subject: "devices/ID",
    data: v.strictObject({ deviceId }),
  },
  "device.lost": {
    description: "A device has closed its last stream, or its connection is gone.",
    subject: "devices/ID",
    data: v.strictObject({ deviceId }),
  },
  "device.button": {
    description:
      "A button of a device was pressed, held or released, on the device or over the API (`remote`).",
    subject: "devices/ID",
    data: v.strictObject({
      deviceId,
      button: v.picklist(["connect", "mode", "stop", "play"]),
      event: v.picklist(["press", "hold", "release"]),
      /** Over the API, and not on the device itself. */
      remote: v.boolean(),
    }),
  },
  "sound.started": {
    description: "A device gets the first packet of a sound.",
    subject: "devices/ID",
    data: v.strictObject(soundFields),
  },
  "sound.ended": {
    description: "A sound is over: it was played, stopped, or could not be played.",
    subject: "devices/ID",
    data: v.strictObject({
      ...soundFields,
      error: v.pipe(v.nullable(v.string()), v.description("Code of the error, if it could not be played.")),
    }),
  },
  "audio.silent": {
    description: "A live stream has become silent.",
    subject: "recordings/DEVICE",
    data: v.strictObject(soundingFields),
  },
  "audio.active": {
    description: "A live stream is no longer silent.",
    subject: "recordings/DEVICE",
    data: v.strictObject(soundingFields),
  },
  "audio.clipping": {
    description: "A live stream clips.",
    subject: "recordings/DEVICE",
    data: v.strictObject(soundingFields),
  },
  "storage.low": {
    description: "The disk of the cache is full; uploads are refused.",
    subject: "storage",
    data: v.strictObject({ detail: v.string() }),
  },
  "storage.damaged": {
    description: "Audio of finished streams is damaged or missing on the disk.",
    subject: "storage",
    data: v.strictObject({
      sha256: v.string(),
      streamIds: v.pipe(v.array(v.string()), v.description("At most 10 of its streams.")),
      streams: count("All of its streams."),
    }),
  },
  "server.started": {
    description: "The server is ready.",
    subject: "server",
    data: v.strictObject({ version: v.string() }),
  },
} as const;

export type EventType = keyof typeof eventTypes;
export type EventData<T extends EventType> = v.InferOutput<(typeof eventTypes)[T]["data"]>;
export type ExpiryReason = (typeof expiryReasons)[number];
export type RemovalReason = (typeof removalReasons)[number];

export const eventTypeNames = Object.keys(eventTypes) as EventType[];
