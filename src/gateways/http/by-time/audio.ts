/** `GET /api/recordings/{id}/audio`: the audio of a period of a device, or of one recording. */
import { ParameterError } from "../../../base/errors.ts";
import { formatTime } from "../../../base/format-time.ts";
import { audioStallSeconds } from "../../../base/limits/audio-http.ts";
import { periodReadBytes } from "../../../base/limits/recordings.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { FollowedPeriod } from "../../../engine/recordings/by-time/followed-period.ts";
import { PeriodAudio, type PeriodFormat, tagOf } from "../../../engine/recordings/by-time/period-audio.ts";
import type { GapRule, Plan, PlanOptions } from "../../../engine/recordings/by-time/plan.ts";
import { ResampledAudio } from "../../../engine/recordings/by-time/resampled-audio.ts";
import type { Period } from "../../../store/recordings/timeline/catalog.ts";
import { answerAudio, type AudioRequest } from "../audio/answer.ts";
import { type AudioDescription, audioHeaders } from "../audio/audio.ts";
import { streamFrom } from "../audio/body.ts";
import { unknownMediaType } from "../audio/media-type.ts";
import { audioAnswers, audioParameters, audioRequestHeaders } from "../audio/parameters.ts";
import { answerRecording, type AudioRecordings } from "../audio/recordings.ts";
import { type Operation, operation } from "../operation.ts";
import { choice } from "../parameters.ts";
import { headerOfFollowed, PeriodBody } from "./follow.ts";
import { periodAudioParameters, periodOf, planOptions } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface PeriodRecordings extends AudioRecordings {
  /** Rejects with RECORDING_UNKNOWN, RECORDING_GAP, FORMAT_CHANGES, READ_TOO_LARGE. */
  plan(period: Period, options: Omit<PlanOptions, "fromUs" | "toUs">): Promise<Plan>;
  /** Rejects with RECORDING_UNKNOWN, FORMAT_CHANGES, READ_TOO_LARGE, LISTENERS_EXHAUSTED. */
  follow(period: Period, gaps: GapRule): Promise<FollowedPeriod>;
}

export function recordingAudioOperation(recordings: PeriodRecordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/audio",
    tag: "recordings",
    access: { action: "read", within: "recordings" },
    summary:
      "The audio of a device in a period, exact to the sample, as it arrives if the period is not over; without a period, that of one recording.",
    segments: {
      id: "The device, as for the timeline; without a period, the `id` of a recording in the list.",
    },
    parameters: {
      ...audioParameters,
      ...periodAudioParameters,
      format: choice(
        ["wav", "pcm"],
        "wav (the default), or the samples alone as 16-bit little-endian integers.",
      ),
    },
    headers: audioRequestHeaders,
    answers: audioAnswers,
    errors: [
      "RECORDING_UNKNOWN",
      "RECORDING_GAP",
      "FORMAT_CHANGES",
      "READ_TOO_LARGE",
      "LISTENERS_EXHAUSTED",
      "PRECONDITION_FAILED",
      "NO_DATA",
      "OBJECT_DAMAGED",
    ],
    async handle({ request, path, query, connection, meter, principal }) {
      const id = path["id"]!;
      const asked = { request, connection, meter, download: query.download === "1" };
      if (query.from === undefined && query.to === undefined)
        return await answerRecording(asked, recordings, id, principal);
      const period = periodOf(id, query);
      principal.requirePeriod({ ...period, streamId: query.stream });
      if (period.toUs > sharedNow() * 1000) return await followPeriod(asked, recordings, period, query);
      const plan = await recordings.plan(period, planOptions(query));
      return await answerPeriod(asked, recordings, plan, query.format ?? "wav", id);
    },
  });
}

async function answerPeriod(
  asked: AudioRequest,
  recordings: PeriodRecordings,
  plan: Plan,
  format: PeriodFormat,
  id: string,
): Promise<Response> {
  const audio = new PeriodAudio(plan, format, (segment) => recordings.openWav(segment));
  const description = describe(plan, format, audio.size, id);
  if (plan.isResampled) return await answerResampled(asked, recordings, plan, format, description);
  return await answerAudio(asked, description, async () => ({
    read: (offset, length, into) => audio.read(offset, length, into),
    pieceBytes: periodReadBytes,
    openRange: async () => undefined,
    close: () => audio.close(),
  }));
}

/** Sends what there is, and then what the device sends, until the period is over. */
async function followPeriod(
  { request, connection, meter, download }: AudioRequest,
  recordings: PeriodRecordings,
  period: Period,
  query: { gaps: GapRule | undefined; resample: number | undefined; format: PeriodFormat | undefined },
): Promise<Response> {
  if (query.resample !== undefined)
    throw new ParameterError("resample", "a period that is not over cannot be resampled");
  const { gaps = "silence", format = "wav" } = query;
  const followed = await recordings.follow(period, gaps);
  const description = describeFollowed(followed, format, period.name);
  const headers = { ...audioHeaders(description, download), "accept-ranges": "none" };
  if (request.method === "HEAD") {
    followed.close();
    // Bun would announce a length of 0 otherwise.
    return new Response(null, { headers: { ...headers, "transfer-encoding": "chunked" } });
  }
  const header = headerOfFollowed(followed, format, gaps);
  const body = new PeriodBody(followed, header, (segment) => recordings.openWav(segment), connection);
  // The client may leave before there is any audio.
  request.signal.addEventListener("abort", () => body.close(), { once: true });
  try {
    return new Response(await streamFrom(body, meter), { headers });
  } catch (error) {
    body.close();
    throw error;
  }
}

/** Resampled audio can only be made from its beginning on, so it has no ranges. */
async function answerResampled(
  { request, connection, meter, download }: AudioRequest,
  recordings: PeriodRecordings,
  plan: Plan,
  format: PeriodFormat,
  description: AudioDescription,
): Promise<Response> {
  const headers = { ...audioHeaders(description, download), "accept-ranges": "none" };
  if (request.method === "HEAD")
    return new Response(null, { headers: { ...headers, "content-length": String(description.size) } });
  const source = new ResampledAudio(plan, format, (segment) => recordings.openWav(segment));
  connection.setIdleSeconds(audioStallSeconds);
  try {
    return new Response(await streamFrom(source, meter), { headers });
  } catch (error) {
    source.close();
    throw error;
  }
}

function describeFollowed(
  { fromUs }: FollowedPeriod,
  format: PeriodFormat,
  device: string,
): AudioDescription {
  const name = { id: "recording", name: nameOf(device, fromUs, format), mediaType: mediaTypeOf(format) };
  const unknown = { sha256: undefined, etag: undefined, lastModified: undefined };
  return { ...name, ...unknown, size: 0, isGrowing: true, cacheControl: "no-store" };
}

function nameOf(device: string, fromUs: number, format: PeriodFormat): string {
  return `${device}_${formatTime(fromUs).replaceAll(":", "")}.${format}`;
}

function mediaTypeOf(format: PeriodFormat): string {
  return format === "wav" ? "audio/wav" : unknownMediaType;
}

function describe(plan: Plan, format: PeriodFormat, size: number, id: string): AudioDescription {
  return {
    id: "recording",
    name: nameOf(id, plan.fromUs, format),
    size,
    isGrowing: false,
    mediaType: mediaTypeOf(format),
    sha256: undefined,
    etag: `"${tagOf(plan, format)}"`,
    lastModified: undefined,
    // Recordings of the period may be removed, and those of a device that sends are still to come.
    cacheControl: "private, no-cache",
  };
}
