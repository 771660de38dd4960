/** `GET /api/recordings/{id}/audio`: the audio of a period of a device, or of one recording. */
import { formatTime } from "../../../base/format-time.ts";
import { audioStallSeconds } from "../../../base/limits/audio-http.ts";
import { PeriodAudio, type PeriodFormat, tagOf } from "../../../engine/recordings/by-time/period-audio.ts";
import type { Plan, PlanOptions } from "../../../engine/recordings/by-time/plan.ts";
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
import { periodAudioParameters, periodOf, planOptions } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface PeriodRecordings extends AudioRecordings {
  /** Rejects with RECORDING_UNKNOWN, RECORDING_GAP, FORMAT_CHANGES, READ_TOO_LARGE. */
  plan(period: Period, options: Omit<PlanOptions, "fromUs" | "toUs">): Promise<Plan>;
}

export function recordingAudioOperation(recordings: PeriodRecordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/audio",
    tag: "recordings",
    access: { action: "read", within: "recordings" },
    summary:
      "The audio of a device in a period, exact to the sample; without a period, that of one recording.",
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
      "PRECONDITION_FAILED",
      "NO_DATA",
      "OBJECT_DAMAGED",
    ],
    async handle({ request, path, query, connection, meter, principal }) {
      const id = path["id"]!;
      const asked = { request, connection, meter, download: query.download === "1" };
      if (query.from === undefined && query.to === undefined)
        return await answerRecording(asked, recordings, id, principal);
      principal.require("read", `recordings/${id}`, "RECORDING_UNKNOWN");
      const plan = await recordings.plan(periodOf(id, query), planOptions(query));
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
    read: (offset, length) => audio.read(offset, length),
    openRange: async () => undefined,
    close: () => audio.close(),
  }));
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

function describe(plan: Plan, format: PeriodFormat, size: number, id: string): AudioDescription {
  return {
    id: "recording",
    name: `${id}_${formatTime(plan.fromUs).replaceAll(":", "")}.${format}`,
    size,
    isGrowing: false,
    mediaType: format === "wav" ? "audio/wav" : unknownMediaType,
    sha256: undefined,
    etag: `"${tagOf(plan, format)}"`,
    lastModified: undefined,
    // Recordings of the period may be removed, and those of a device that sends are still to come.
    cacheControl: "private, no-cache",
  };
}
