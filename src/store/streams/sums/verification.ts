/**
 * Hashes an object from its beginning to its end, a piece at a time. If its SHA-256 is right, the result is its block
 * checksums: this replaces a checksum file that is missing or broken, such as that of an object of an older version.
 */
import * as fs from "node:fs";
import { WavecacheError } from "../../../base/errors.ts";
import { type BlockSums, SumsBuilder } from "./sums.ts";

export class Verification {
  readonly #descriptor: number;
  readonly #size: number;
  readonly #sha256: string;
  readonly #hasher = new Bun.CryptoHasher("sha256");
  readonly #builder = new SumsBuilder();
  #hashedBytes = 0;

  /** `size` is that of the file, `sha256` what the object should have. */
  constructor(descriptor: number, size: number, sha256: string) {
    this.#descriptor = descriptor;
    this.#size = size;
    this.#sha256 = sha256;
  }

  /**
   * Hashes as many bytes as `piece` holds. Returns the checksums with the last piece, and undefined before. Throws
   * OBJECT_DAMAGED if the SHA-256 differs, and the system's error if the file cannot be read.
   */
  step(piece: Uint8Array): BlockSums | undefined {
    const got = fs.readSync(this.#descriptor, piece, 0, piece.length, this.#hashedBytes);
    const bytes = piece.subarray(0, got);
    this.#hasher.update(bytes);
    this.#builder.add(bytes);
    this.#hashedBytes += got;
    return got === 0 || this.#hashedBytes >= this.#size ? this.#finish() : undefined;
  }

  #finish(): BlockSums {
    if (this.#hasher.digest("hex") === this.#sha256) return this.#builder.finish();
    throw new WavecacheError("OBJECT_DAMAGED", `${this.#sha256}: its SHA-256 is wrong`);
  }
}
