/** The samples of a finished recording, as WAV. */
import { type Action, recordingResource } from "../../../access/actions.ts";
import type { Principal } from "../../../access/principal.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { RecordingRow } from "../../../store/recordings/catalog.ts";
import type { SampledSegment } from "../../../engine/recordings/by-time/written.ts";
import { answerAudio, type AudioRequest } from "./answer.ts";
import type { AudioDescription, AudioFile } from "./audio.ts";
import type { OpenedFile } from "./opened-file.ts";

/** Samples without a path come in pieces, as they are read. */
type OpenedSamples = Omit<OpenedFile, "path"> & { readonly path: string | undefined };

/** What the operation needs of the engine. */
export interface AudioRecordings {
  /** Rejects with RECORDING_UNKNOWN. */
  find(id: number): Promise<RecordingRow>;
  /** The WAV file, whose content is right. Rejects with OBJECT_DAMAGED. */
  openWav(row: SampledSegment): Promise<OpenedSamples>;
}

/** Answers with one recording. */
export async function answerRecording(
  asked: AudioRequest,
  recordings: AudioRecordings,
  id: string,
  principal: Principal,
): Promise<Response> {
  const row = await findGranted((each) => recordings.find(each), id, principal, "read");
  return await answerAudio(asked, describe(row), async () => audioOfSamples(await recordings.openWav(row)));
}

function audioOfSamples(samples: OpenedSamples): AudioFile {
  const { path } = samples;
  return {
    read: (offset, length, into) => samples.read(offset, length, into),
    openRange: async () =>
      path === undefined ? undefined : { path, isImmutable: true, close: async () => {} },
    close: () => samples.close(),
  };
}

/** Finds the recording that a path names, of a device that the principal has access to. */
export async function findGranted(
  find: (id: number) => Promise<RecordingRow>,
  id: string,
  principal: Principal,
  action: Action,
): Promise<RecordingRow> {
  if (!/^\d{1,15}$/.test(id)) throw new WavecacheError("RECORDING_UNKNOWN");
  const row = await find(Number(id));
  principal.require(action, recordingResource(row.device, row.streamId), "RECORDING_UNKNOWN");
  return row;
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
