/** What kind of audio a file is and how long it plays. */
import { parseFromTokenizer } from "music-metadata";
import { AbstractTokenizer, EndOfStreamError, type IFileInfo, type IReadChunkOptions } from "strtok3";
import { WavecacheError } from "../../base/errors.ts";
import { inspectBytes, maxScannedSongBytes } from "../../base/limits/library.ts";
import { sniffAudioFormat, sniffBytes } from "../../codec/sniff.ts";
import { parseWavHead } from "../../codec/wav.ts";
import type { OpenedFile } from "./file.ts";

export interface AudioDetails {
  /** MIME type, by content, else by the ending of the name. */
  type: string;
  /** Seconds; null where that is not known. */
  duration: number | null;
}

const unknownType = "application/octet-stream";

const typesByEnding: Record<string, string> = {
  aac: "audio/aac",
  aif: "audio/aiff",
  aiff: "audio/aiff",
  flac: "audio/flac",
  m4a: "audio/mp4",
  mid: "audio/midi",
  mka: "audio/matroska",
  mp3: "audio/mpeg",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg; codecs=opus",
  wav: "audio/wav",
  weba: "audio/webm",
  webm: "audio/webm",
  wma: "audio/x-ms-wma",
};

/** Looks into a file. A file that is damaged or no audio has no duration; only a failing disk is an error. */
export async function inspectAudio(name: string, file: OpenedFile): Promise<AudioDetails> {
  const head = await file.read(0, Math.min(file.size, inspectBytes));
  const sniffed = sniffAudioFormat(head.subarray(0, sniffBytes));
  const type = sniffed ?? typesByEnding[/\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? ""] ?? unknownType;
  if (type === unknownType) return { type, duration: null };
  return { type, duration: wavDuration(head, file.size) ?? (await parsedDuration(name, type, file)) };
}

function wavDuration(head: Uint8Array, fileBytes: number): number | undefined {
  const wav = parseWavHead(head, fileBytes);
  if (wav.kind !== "format") return undefined;
  const { dataBytes, frameBytes, sampleRate } = wav.format;
  return dataBytes === undefined ? undefined : dataBytes / frameBytes / sampleRate;
}

async function parsedDuration(name: string, type: string, file: OpenedFile): Promise<number | null> {
  try {
    const source = new FileTokenizer(file, { path: name, mimeType: type, size: file.size });
    const duration = file.size <= maxScannedSongBytes;
    const { format } = await parseFromTokenizer(source, { duration, skipCovers: true });
    const seconds = format.duration ?? 0;
    return Number.isFinite(seconds) && seconds > 0 ? seconds : null;
  } catch (error) {
    // Whatever the parser stumbles over, the file is what is wrong; of the disk it knows nothing.
    if (error instanceof WavecacheError || (error instanceof Error && "syscall" in error)) throw error;
    return null;
  }
}

/** The parser's view of a file: it reads a few bytes at a time, which are taken from one block of the file. */
class FileTokenizer extends AbstractTokenizer {
  fileInfo: IFileInfo;
  readonly #file: OpenedFile;
  #block: Uint8Array = new Uint8Array(0);
  #blockAt = 0;

  constructor(file: OpenedFile, fileInfo: IFileInfo) {
    super();
    this.#file = file;
    this.fileInfo = fileInfo;
  }

  override supportsRandomAccess(): boolean {
    return true;
  }

  /** What the parser asks of a source that can be read anywhere. */
  setPosition(position: number): void {
    this.position = position;
  }

  override async readBuffer(into: Uint8Array, options?: IReadChunkOptions): Promise<number> {
    const { position, length, mayBeLess } = this.normalizeOptions(into, options);
    const read = await this.#copy(into, position, length, mayBeLess === true);
    this.position = position + read;
    return read;
  }

  override async peekBuffer(into: Uint8Array, options?: IReadChunkOptions): Promise<number> {
    const { position, length, mayBeLess } = this.normalizeOptions(into, options);
    return await this.#copy(into, position, length, mayBeLess === true);
  }

  async #copy(into: Uint8Array, position: number, length: number, mayBeLess: boolean): Promise<number> {
    const bytes = Math.max(0, Math.min(length, this.#file.size - position));
    if (bytes < length && !mayBeLess) throw new EndOfStreamError();
    for (let copied = 0; copied < bytes;) {
      const from = position + copied;
      if (from < this.#blockAt || from >= this.#blockAt + this.#block.length) await this.#load(from);
      const part = this.#block.subarray(from - this.#blockAt, from - this.#blockAt + bytes - copied);
      into.set(part, copied);
      copied += part.length;
    }
    return bytes;
  }

  async #load(at: number): Promise<void> {
    this.#block = await this.#file.read(at, Math.min(inspectBytes, this.#file.size - at));
    this.#blockAt = at;
  }
}
