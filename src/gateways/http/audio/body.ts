/** Bodies that are read piece by piece: a piece is read when the client has taken the one before. */
import { toWavecacheError } from "../../../base/errors.ts";
import type { GatewayMeter } from "../../../base/gateway-meter.ts";
import { audioPieceBytes } from "../../../base/limits/audio-http.ts";
import type { AudioFile } from "./audio.ts";
import type { ByteRange } from "./ranges.ts";

/** A part of a body: a range of the audio, or bytes around it. */
export type Piece = ByteRange | Uint8Array<ArrayBuffer>;

/** Where the bytes of a body come from. */
export interface BodySource {
  /** The next bytes; undefined at the end. */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** The body is over, or nobody wants the rest. Never rejects. */
  close(): void;
}

/**
 * The bytes of `pieces`: all of them if they are few, else a stream. Rejects if the first ones cannot be read, so that
 * the answer can still be an error. Closes the file when the body is over, but not if it rejects.
 */
export async function bodyOf(
  file: AudioFile,
  pieces: readonly Piece[],
  meter: GatewayMeter,
): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  if (bytes > 2 * audioPieceBytes)
    return await streamFrom(new PieceSource(file, pieces, new PieceBuffers()), meter);
  const source = new PieceSource(file, pieces);
  const parts: Uint8Array[] = [];
  for (let part = await source.next(); part !== undefined; part = await source.next()) parts.push(part);
  meter.bytesOut += bytes;
  source.close();
  return parts.length === 1 ? (parts[0] as Uint8Array<ArrayBuffer>) : Buffer.concat(parts);
}

/** Rejects if the first bytes cannot be read. An error after them ends the connection before the body is complete. */
export async function streamFrom(
  source: BodySource,
  meter: GatewayMeter,
): Promise<ReadableStream<Uint8Array>> {
  const body = new StreamedBody(source, meter, await source.next());
  return new ReadableStream(body, { highWaterMark: 0 });
}

class StreamedBody {
  readonly #source: BodySource;
  readonly #meter: GatewayMeter;
  /** Was read before the stream began. */
  #first: Uint8Array | undefined;
  #isOver = false;

  constructor(source: BodySource, meter: GatewayMeter, first: Uint8Array | undefined) {
    this.#source = source;
    this.#meter = meter;
    this.#first = first;
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const bytes = this.#first ?? (await this.#source.next());
      this.#first = undefined;
      if (this.#isOver) return;
      if (bytes !== undefined) {
        this.#meter.bytesOut += bytes.length;
        return controller.enqueue(bytes);
      }
      controller.close();
    } catch (error) {
      if (this.#isOver) return;
      this.#meter.failed(toWavecacheError(error).code);
      // Bun would print an error here. Without the last chunk the client knows that the body is not complete.
      controller.error(undefined);
    }
    this.cancel();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#source.close();
  }
}

/**
 * Memory for the pieces of a body, in turns. Bun has copied a piece, or sent it, when it asks for the next one: garbage of as
 * many bytes as a long body has would cost more than to read it.
 */
class PieceBuffers {
  readonly #all: [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] = [new Uint8Array(0), new Uint8Array(0)];

  next(length: number): Uint8Array<ArrayBuffer> {
    this.#all.reverse();
    if (this.#all[0].length < length) this.#all[0] = new Uint8Array(length);
    return this.#all[0];
  }
}

class PieceSource implements BodySource {
  readonly #file: AudioFile;
  readonly #pieces: readonly Piece[];
  readonly #buffers: PieceBuffers | undefined;
  readonly #pieceBytes: number;
  #at = 0;
  /** Bytes of the current piece that were read. */
  #done = 0;

  /** With `buffers`, bytes are valid until the next but one `next`. */
  constructor(file: AudioFile, pieces: readonly Piece[], buffers?: PieceBuffers) {
    this.#file = file;
    this.#pieces = pieces;
    this.#buffers = buffers;
    this.#pieceBytes = file.pieceBytes ?? audioPieceBytes;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const piece = this.#pieces[this.#at];
    if (piece === undefined) return undefined;
    const isRange = !(piece instanceof Uint8Array);
    const length = isRange ? Math.min(piece.length - this.#done, this.#pieceBytes) : piece.length;
    const bytes = isRange ? await this.#read(piece.offset + this.#done, length) : piece;
    this.#done += length;
    if (this.#done === piece.length) {
      this.#at += 1;
      this.#done = 0;
    }
    return bytes;
  }

  close(): void {
    void this.#file.close();
  }

  #read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#file.read(offset, length, this.#buffers?.next(length));
  }
}
