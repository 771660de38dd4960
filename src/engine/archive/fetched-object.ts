/** An archived object of which some pieces are here. */
import { fetchPieceBytes } from "../../base/limits/archive.ts";
import type { FoundItem } from "../../store/archive/catalog.ts";

export class FetchedObject {
  readonly sha256: string;
  readonly size: number;
  readonly key: string;
  /** Of another node, or of a recording: nothing would count it as a local object. */
  readonly isForeign: boolean;
  /** Of the file with the pieces. */
  readonly path: string;
  bytesHere = 0;
  /** When the catalog was last known to have it; of the monotonic clock. */
  lookedAtMs = performance.now();
  /** 1 for each piece that is here. */
  readonly #pieces: Uint8Array;
  readonly #fetching = new Map<number, Promise<void>>();
  #usedAtMs = performance.now();

  constructor(
    { sha256, size, key, isForeign }: Pick<FoundItem, "sha256" | "size" | "key" | "isForeign">,
    path: string,
  ) {
    this.sha256 = sha256;
    this.size = size;
    this.key = key;
    this.isForeign = isForeign;
    this.path = path;
    this.#pieces = new Uint8Array(Math.ceil(size / fetchPieceBytes));
  }

  /** All pieces are here. */
  get isWhole(): boolean {
    return this.bytesHere === this.size;
  }

  /** Since somebody used it, or a piece came; 0 while one is on its way. */
  get idleMs(): number {
    return this.#fetching.size > 0 ? 0 : performance.now() - this.#usedAtMs;
  }

  use(): void {
    this.#usedAtMs = performance.now();
  }

  has(offset: number, length: number): boolean {
    return this.piecesOf(offset, length).every((piece) => this.#pieces[piece] === 1);
  }

  /** The pieces that a range of the object touches. */
  piecesOf(offset: number, length: number): number[] {
    const first = Math.floor(offset / fetchPieceBytes);
    const end = Math.min(this.#pieces.length, Math.ceil((offset + length) / fetchPieceBytes));
    return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
  }

  /** The piece before that of a position is here. */
  readsOn(position: number): boolean {
    return this.#pieces[Math.floor(position / fetchPieceBytes) - 1] === 1;
  }

  /** Of the next pieces from a position on, those that nobody fetches yet. */
  missingFrom(position: number, count: number): number[] {
    const first = Math.ceil(position / fetchPieceBytes);
    const next = Array.from({ length: count }, (_, index) => first + index);
    return next.filter((piece) => this.#pieces[piece] === 0 && !this.#fetching.has(piece));
  }

  /** Joins a fetch of the piece that is under way. */
  fetchOnce(piece: number, fetch: () => Promise<void>): Promise<void> {
    if (this.#pieces[piece] === 1) return Promise.resolve();
    const known = this.#fetching.get(piece);
    if (known !== undefined) return known;
    const fetching = fetch().finally(() => {
      this.#fetching.delete(piece);
      this.use();
    });
    this.#fetching.set(piece, fetching);
    return fetching;
  }

  /** Bytes that `add` would bring. Another piece may have brought all of them meanwhile. */
  newBytes(piece: number | "all"): number {
    if (piece === "all") return this.size - this.bytesHere;
    return this.#pieces[piece] === 1 ? 0 : this.#bytesOf(piece);
  }

  add(piece: number | "all"): void {
    this.bytesHere += this.newBytes(piece);
    if (piece === "all") this.#pieces.fill(1);
    else this.#pieces[piece] = 1;
  }

  #bytesOf(piece: number): number {
    return Math.min(fetchPieceBytes, this.size - piece * fetchPieceBytes);
  }
}
