/**
 * Which pieces of which objects are verified, so that they can be sent without being read here. It holds for one state
 * of a file: a file that was written to or replaced is verified anew.
 */
import { maxVerifiedObjects, verifiedPieceBytes } from "../../base/limits/audio-http.ts";
import { Lru } from "../../base/lru.ts";

interface VerifiedObject {
  identity: string;
  /** 1 for each verified piece. */
  pieces: Uint8Array;
}

export class VerifiedObjects {
  readonly #objects = new Lru<VerifiedObject>(maxVerifiedObjects);

  /** The beginning of the first piece from `offset` on, and before `end`, that is not verified. */
  firstUnverified(path: string, identity: string, offset: number, end: number): number | undefined {
    const object = this.#objects.get(path);
    const isSame = object?.identity === identity;
    const last = Math.ceil(end / verifiedPieceBytes);
    for (let piece = Math.floor(offset / verifiedPieceBytes); piece < last; piece += 1) {
      if (!isSame || object.pieces[piece] !== 1) return piece * verifiedPieceBytes;
    }
    return undefined;
  }

  /** `size` is that of the object. `offset` begins a piece, and so does `end`, unless it lies behind the object. */
  add(path: string, identity: string, size: number, offset: number, end: number): void {
    let object = this.#objects.get(path);
    if (object?.identity !== identity) {
      object = { identity, pieces: new Uint8Array(Math.ceil(size / verifiedPieceBytes)) };
      this.#objects.set(path, object);
    }
    object.pieces.fill(1, offset / verifiedPieceBytes, end / verifiedPieceBytes);
  }
}
