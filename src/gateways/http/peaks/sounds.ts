/** `GET /api/streams/{id}/peaks` and `GET /api/library/{name}/peaks`: the peaks of a whole sound. */
import * as v from "valibot";
import { WavecacheError } from "../../../base/errors.ts";
import { isStreamId } from "../../../base/ids/stream-id.ts";
import { defaultPeakPoints } from "../../../base/limits/peaks.ts";
import type { Peaks } from "../../../codec/peaks/dat.ts";
import { type ApiRequest, type Operation, operation } from "../operation.ts";
import type { Values } from "../parameters.ts";
import {
  acceptHeader,
  answerDat,
  answerJson,
  datMediaType,
  formatParameter,
  peaksSchemaEntries,
  pointsParameter,
  reduced,
  wantsDat,
} from "./answer.ts";

/** What the operations need of the engine. An aborted signal cancels the work if nobody else waits for it. */
export interface PeaksOfSounds {
  ofStream(id: string, signal: AbortSignal): Promise<Peaks>;
  ofSong(name: string, signal: AbortSignal): Promise<Peaks>;
}

const parameters = { points: pointsParameter, format: formatParameter };

const common = {
  method: "get",
  parameters,
  headers: acceptHeader,
  answers: {
    200: {
      description:
        "The peaks. The binary layout has all pixels that are stored, unless `points` limits them.",
      schema: v.strictObject(peaksSchemaEntries),
      content: [datMediaType],
    },
  },
} as const;

export function soundPeaksOperations(peaks: PeaksOfSounds): Operation[] {
  return [streamPeaks(peaks), songPeaks(peaks)];
}

function streamPeaks(peaks: PeaksOfSounds): Operation {
  return operation({
    ...common,
    route: "/api/streams/:id/peaks",
    tag: "streams",
    access: { action: "read", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "The peaks of a finished stream, to draw its waveform.",
    segments: { id: "The id of the stream." },
    errors: ["STREAM_UNKNOWN", "STREAM_UNFINISHED", "OBJECT_DAMAGED", "SOUND_UNREADABLE", "PEAKS_EXHAUSTED"],
    async handle(asked) {
      const id = asked.path["id"]!;
      if (!isStreamId(id)) throw new WavecacheError("STREAM_UNKNOWN");
      asked.connection.keepOpen();
      return answer(asked, await peaks.ofStream(id, asked.request.signal));
    },
  });
}

function songPeaks(peaks: PeaksOfSounds): Operation {
  return operation({
    ...common,
    route: "/api/library/:name{.+}/peaks",
    tag: "library",
    access: { action: "read", on: "library/:name", unknown: "SONG_UNKNOWN" },
    summary: "The peaks of a song, to draw its waveform.",
    segments: { name: "The name of the song, with %2F for its slashes." },
    errors: ["SONG_UNKNOWN", "SONG_CHANGED", "SOUND_UNREADABLE", "PEAKS_EXHAUSTED"],
    async handle(asked) {
      asked.connection.keepOpen();
      return answer(asked, await peaks.ofSong(asked.path["name"]!, asked.request.signal));
    },
  });
}

function answer({ request, query, meter }: ApiRequest<Values<typeof parameters>>, peaks: Peaks): Response {
  const { points, format } = query;
  if (wantsDat(request, format)) return answerDat(reduced(peaks, points ?? Infinity), meter);
  return answerJson(reduced(peaks, points ?? defaultPeakPoints), {}, meter);
}
