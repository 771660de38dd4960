/** Files as the parser of audio formats reads them. */
import { AbstractTokenizer, EndOfStreamError, type IFileInfo, type IReadChunkOptions } from "strtok3";
import { inspectBytes } from "../../base/limits/library.ts";

/** What the parser needs of a file. */
export interface ParsedFile {
  readonly size: number;
  /** Reads exactly these bytes, which lie within `size`. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** The parser's view of a file. The parser reads a few bytes at a time; a block cache saves a system call for each. */
export class FileTokenizer extends AbstractTokenizer {
  fileInfo: IFileInfo;
  readonly #file: ParsedFile;
  #block: Uint8Array = new Uint8Array(0);
  #blockAt = 0;

  constructor(file: ParsedFile, fileInfo: IFileInfo) {
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
