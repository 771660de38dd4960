/** The type and duration of an audio file. */
import { parseFromTokenizer } from "music-metadata";
import { AbstractTokenizer, EndOfStreamError, type IFileInfo, type IReadChunkOptions } from "strtok3";
import { WavecacheError } from "../../base/errors.ts";
import { inspectBytes, maxScannedSongBytes } from "../../base/limits/library.ts";
import { sniffAudioFormat, sniffBytes } from "../../codec/sniff.ts";
import { parseWavHead } from "../../codec/wav.ts";
import type { OpenedFile } from "./file.ts";

export interface AudioDetails {
  /** MIME type, by content, or else by the extension. */
  type: string;
  /** Seconds; null if unknown. */
  duration: number | null;
}

const unknownType = "application/octet-stream";

const typesByExtension: Record<string, string> = {
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

/** Reads a file's type and duration. A file that is damaged or not audio has no duration; only disk failures throw. */
export async function inspectAudio(name: string, file: OpenedFile): Promise<AudioDetails> {
  const head = await file.read(0, Math.min(file.size, inspectBytes));
  const sniffed = sniffAudioFormat(head.subarray(0, sniffBytes));
  const type = sniffed ?? typesByExtension[/\.([^./]+)$/.exec(name)?.[1]?.toLowerCase() ?? ""] ?? unknownType;
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
    // Errors without a system call come from the parser: the file is damaged or of another type, the disk is fine.
    if (error instanceof WavecacheError || (error instanceof Error && "syscall" in error)) throw error;
    return null;
  }
}

/** The parser's view of a file. The parser reads a few bytes at a time; a block cache saves a system call for each. */
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

  /** Required of sources with random access. */
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
