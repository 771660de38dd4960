/** A song that is being uploaded: its file has no name yet that a client could ask for. */
import { type FileHandle, open, unlink } from "node:fs/promises";
import { isMissing } from "../layout.ts";

export class PartialSong {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  #size = 0;
  #isClosed = false;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<PartialSong> {
    return new PartialSong(path, await open(path, "wx"));
  }

  get size(): number {
    return this.#size;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, null);
      written += bytesWritten;
    }
    this.#hasher.update(bytes);
    this.#size += bytes.length;
  }

  /** Makes the bytes durable, and returns their SHA-256 in hex. Nothing may be written afterwards. */
  async seal(): Promise<string> {
    await this.#handle.sync();
    await this.#close();
    return this.#hasher.digest("hex");
  }

  /** Removes the file, unless it was renamed. */
  async discard(): Promise<void> {
    await this.#close();
    await unlink(this.path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#handle.close();
  }
}
