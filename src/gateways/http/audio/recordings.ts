/** `GET /api/recordings/{id}/audio`: the samples of a finished recording, as WAV. */
import { recordingResource } from "../../../access/actions.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { RecordingRow } from "../../../store/recordings/catalog.ts";
import { type Operation, operation } from "../operation.ts";
import { answerAudio } from "./answer.ts";
import type { AudioDescription } from "./audio.ts";
import { audioOf, type OpenedFile } from "./opened-file.ts";
import { audioAnswers, audioParameters, audioRequestHeaders } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface AudioRecordings {
  /** Rejects with RECORDING_UNKNOWN. */
  find(id: number): Promise<RecordingRow>;
  /** The WAV file, whose content is right. Rejects with OBJECT_DAMAGED. */
  openWav(row: RecordingRow): Promise<OpenedFile>;
}

export function recordingAudioOperation(recordings: AudioRecordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/audio",
    tag: "recordings",
    access: { action: "read", within: "recordings" },
    summary: "The samples of a finished recording, as WAV.",
    segments: { id: "The `id` of the recording in the list." },
    parameters: audioParameters,
    headers: audioRequestHeaders,
    answers: audioAnswers,
    errors: ["RECORDING_UNKNOWN", "PRECONDITION_FAILED", "NO_DATA", "OBJECT_DAMAGED"],
    async handle({ request, path, query, connection, principal, meter }) {
      const id = path["id"]!;
      if (!/^\d{1,15}$/.test(id)) throw new WavecacheError("RECORDING_UNKNOWN");
      const row = await recordings.find(Number(id));
      if (!principal.may("read", recordingResource(row.device, row.streamId)))
        throw new WavecacheError("RECORDING_UNKNOWN");
      const asked = { request, connection, meter, download: query.download === "1" };
      return await answerAudio(asked, describe(row), async () =>
        audioOf(await recordings.openWav(row), true),
      );
    },
  });
}

function describe({ name, endedAt, wav }: RecordingRow): AudioDescription {
  return {
    id: "recording",
    name: `${name}.wav`,
    size: wav.bytes,
    isGrowing: false,
    mediaType: "audio/wav",
    sha256: wav.sha256,
    etag: `"${wav.sha256}"`,
    lastModified: endedAt,
    // The id of a recording that was removed may be used again: clients ask each time, and get 304.
    cacheControl: "private, no-cache",
  };
}
