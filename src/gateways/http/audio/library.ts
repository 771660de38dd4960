/** `GET /api/library/{name}/audio`: the audio of a song of the library. */
import { type Operation, operation } from "../operation.ts";
import type { AudioDescription } from "./audio.ts";
import { audioMediaType } from "./media-type.ts";
import { answerFile, type OpenedFile } from "./opened-file.ts";
import { audioAnswers, audioParameters, audioRequestHeaders } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface AudioSongs {
  /** Rejects with SONG_UNKNOWN. */
  openFile(name: string): Promise<{ file: LibraryFile; type: string }>;
}

interface LibraryFile extends OpenedFile {
  /** Identifies the file and its content, as far as size and timestamps tell. */
  readonly key: string;
  /** In milliseconds since 1970. */
  readonly modifiedAt: number;
}

export function songAudioOperation(songs: AudioSongs): Operation {
  return operation({
    method: "get",
    route: "/api/library/:name{.+}/audio",
    tag: "library",
    access: { action: "read", on: "library/:name", unknown: "SONG_UNKNOWN" },
    summary: "The audio of a song.",
    segments: { name: "The name of the song, with %2F for its slashes." },
    parameters: audioParameters,
    headers: audioRequestHeaders,
    answers: audioAnswers,
    errors: ["SONG_UNKNOWN", "PRECONDITION_FAILED", "NO_DATA", "SONG_CHANGED"],
    async handle({ request, path, query, connection, meter }) {
      const name = path["name"]!;
      const { file, type } = await songs.openFile(name);
      const asked = { request, connection, meter, download: query.download === "1" };
      return await answerFile(asked, describe(name, file, type), file);
    },
  });
}

/** Two changes of a file within the resolution of its timestamps cannot be told apart. */
const settledMs = 1000;

function describe(name: string, file: LibraryFile, type: string): AudioDescription {
  const isSettled = Date.now() - file.modifiedAt > settledMs;
  return {
    id: "song",
    name,
    size: file.size,
    isGrowing: false,
    mediaType: audioMediaType([type]),
    sha256: undefined,
    etag: isSettled ? songTag(file.key) : undefined,
    lastModified: isSettled ? file.modifiedAt : undefined,
    // Files of the library may change: clients ask each time, and get 304.
    cacheControl: "private, no-cache",
  };
}

/** The validator of a song. Hashed, as the key tells about the disk of the server. */
export function songTag(key: string): string {
  return `"${new Bun.CryptoHasher("sha256").update(key).digest("hex").slice(0, 32)}"`;
}
