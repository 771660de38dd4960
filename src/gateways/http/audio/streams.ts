/** `GET /api/streams/{id}/audio`: the audio of a stream, also while it is uploaded. */
import { WavecacheError } from "../../../base/errors.ts";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import type { RequestContext } from "../../../base/request-context.ts";
import { isStreamId } from "../../../base/ids/stream-id.ts";
import { sniffAudioFormat, sniffBytes } from "../../../codec/sniff.ts";
import type { Readable } from "../../../engine/streams/readable-streams.ts";
import { type Operation, operation } from "../operation.ts";
import { choice } from "../parameters.ts";
import { answerAudio } from "./answer.ts";
import { type AudioDescription, type AudioFile, audioHeaders } from "./audio.ts";
import { streamFrom } from "./body.ts";
import { type FollowedStreams, UploadFollower } from "./follow.ts";
import { audioMediaType, unknownMediaType } from "./media-type.ts";
import { audioAnswers, audioParameters, audioRequestHeaders } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface AudioStreams extends FollowedStreams {
  /** A finished stream in memory, without a look-up. */
  locateKnown(streamId: string): Readable | undefined;
}

export interface StreamAudios {
  open(streamId: string, readable: Readable, context?: RequestContext): AudioFile;
}

export function streamAudioOperation(streams: AudioStreams, audios: StreamAudios): Operation {
  return operation({
    method: "get",
    route: "/api/streams/:id/audio",
    tag: "streams",
    access: { action: "read", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "The audio of a stream. While it is uploaded, what there is by now.",
    segments: { id: "The id of the stream." },
    parameters: {
      ...audioParameters,
      follow: choice(["0", "1"], "1 follows an upload in progress to its end."),
    },
    headers: audioRequestHeaders,
    answers: audioAnswers,
    errors: [
      "STREAM_UNKNOWN",
      "PRECONDITION_FAILED",
      "NO_DATA",
      "OBJECT_DAMAGED",
      "OBJECT_MISSING",
      "WORKER_LOST",
    ],
    async handle({ request, path, query, connection, meter }) {
      const id = path["id"]!;
      if (!isStreamId(id)) throw new WavecacheError("STREAM_UNKNOWN");
      const readable = streams.locateKnown(id) ?? (await streams.locate(id, Number.POSITIVE_INFINITY));
      const asked = { request, connection, meter, download: query.download === "1" };
      const open = async () => audios.open(id, readable, connection.context);
      const audio = describe(id, readable);
      if (request.method === "GET") await addMediaType(audio, open);
      if (query.follow !== "1" || !audio.isGrowing) return await answerAudio(asked, audio, open);
      const headers = { ...audioHeaders(audio, asked.download), "accept-ranges": "none" };
      // Bun would announce a length of 0 otherwise.
      const unknownLength = { "transfer-encoding": "chunked" };
      if (request.method === "HEAD") return new Response(null, { headers: { ...headers, ...unknownLength } });
      const follower = new UploadFollower(id, streams, audios, connection);
      return await follow(request, follower, headers, meter);
    },
  });
}

async function follow(
  { signal }: Request,
  follower: UploadFollower,
  headers: Record<string, string>,
  meter: GatewayMeter,
): Promise<Response> {
  // The client may leave before there is any audio.
  signal.addEventListener("abort", () => follower.close(), { once: true });
  try {
    return new Response(await streamFrom(follower, meter), { headers });
  } catch (error) {
    follower.close();
    throw error;
  }
}

/** The catalog has no type of an upload in progress: its first bytes may show it. */
async function addMediaType(audio: AudioDescription, open: () => Promise<AudioFile>): Promise<void> {
  if (!audio.isGrowing || audio.mediaType !== unknownMediaType || audio.size === 0) return;
  const file = await open();
  try {
    const head = await file.read(0, Math.min(audio.size, sniffBytes));
    audio.mediaType = audioMediaType([sniffAudioFormat(head)]);
  } finally {
    await file.close();
  }
}

/** Caches keep a finished stream: other audio needs another id, or a removal, after which caches may be wrong. */
const unchanging = "private, max-age=31536000, immutable";
const changing = "no-store";

function describe(id: string, readable: Readable): AudioDescription {
  const { size, sha256, finishedAt, format, metadata } = readable;
  const isGrowing = finishedAt === undefined;
  return {
    id,
    size,
    isGrowing,
    mediaType: audioMediaType([format, metadata.contentType]),
    name: metadata.tags["name"],
    sha256,
    etag: sha256 === undefined ? undefined : `"${sha256}"`,
    lastModified: finishedAt,
    cacheControl: isGrowing ? changing : unchanging,
  };
}
