/**
 * Which pieces of which objects are verified, so that they can be sent without being read here. It holds for some minutes
 * and for one state of a file: a file that was written to or replaced is verified anew.
 */
import { maxVerifiedObjects, verifiedMs, verifiedPieceBytes } from "../../base/limits/audio-http.ts";
import { Lru } from "../../base/lru.ts";

interface VerifiedObject {
  identity: string;
  /** When the first of its pieces was verified, in milliseconds of `now`. */
  since: number;
  /** 1 for each verified piece. */
  pieces: Uint8Array;
}

export class VerifiedObjects {
  readonly #objects = new Lru<VerifiedObject>(maxVerifiedObjects);
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The beginning of the first piece from `offset` on, and before `end`, that is not verified. */
  firstUnverified(path: string, identity: string, offset: number, end: number): number | undefined {
    const object = this.#find(path, identity);
    const last = Math.ceil(end / verifiedPieceBytes);
    for (let piece = Math.floor(offset / verifiedPieceBytes); piece < last; piece += 1) {
      if (object?.pieces[piece] !== 1) return piece * verifiedPieceBytes;
    }
    return undefined;
  }

  /** `size` is that of the object. `offset` begins a piece, and so does `end`, unless it lies behind the object. */
  add(path: string, identity: string, size: number, offset: number, end: number): void {
    let object = this.#find(path, identity);
    if (object === undefined) {
      const pieces = new Uint8Array(Math.ceil(size / verifiedPieceBytes));
      object = { identity, since: this.#now(), pieces };
      this.#objects.set(path, object);
    }
    object.pieces.fill(1, offset / verifiedPieceBytes, end / verifiedPieceBytes);
  }

  #find(path: string, identity: string): VerifiedObject | undefined {
    const object = this.#objects.get(path);
    if (object?.identity !== identity || this.#now() - object.since > verifiedMs) return undefined;
    return object;
  }
}
