/**
 * The files of a form (`multipart/form-data`, RFC 7578), one after the other. The body is read no further while nobody
 * reads the current file, so no more than a piece of it is in memory, and the small files that the piece holds.
 */
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import { ParameterError, toWavecacheError, WavecacheError } from "../../../base/errors.ts";
import {
  maxFormFieldBytes,
  maxFormFields,
  maxFormFiles,
  maxPartHeaderBytes,
} from "../../../base/limits/upload-http.ts";
import { type AudioPieces, bodyPieces } from "./body-upload.ts";

export interface FormFile {
  /** A path, if the sender picked a folder. */
  name: string | undefined;
  type: string;
  pieces: AudioPieces;
}

export function isForm(headers: Headers): boolean {
  return /^multipart\/form-data\s*(;|$)/i.test(headers.get("content-type") ?? "");
}

/**
 * The next file comes once the one before is read to its end. Throws BAD_REQUEST for a malformed form, FORM_TOO_LARGE,
 * and STREAM_UNFINISHED if the sender is gone; the file that is being read then fails with the same error.
 */
export async function* formFiles({ headers, body }: Request): AsyncGenerator<FormFile, void> {
  const parser = openParser(headers);
  const files = new FileQueue(parser);
  const pieces = bodyPieces(body);
  const feeding = feed(parser, pieces, files);
  try {
    for (let file = await files.next(); file !== undefined; file = await files.next()) yield file;
  } finally {
    // Whoever stops reading has its reason: what still comes is discarded.
    files.close();
    pieces.cancel();
    await feeding;
  }
}

function openParser(headers: Headers): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": headers.get("content-type")! },
      preservePath: true,
      isPartAFile: (_, type, name) => name !== "" && (name !== undefined || type !== "text/plain"),
      limits: {
        files: maxFormFiles,
        fields: maxFormFields,
        parts: maxFormFiles + maxFormFields,
        fieldSize: maxFormFieldBytes,
        headerSize: maxPartHeaderBytes,
      },
    });
  } catch {
    throw new ParameterError("content-type", "expected multipart/form-data with a boundary");
  }
}

/** Parses the body; ends the queue, with an error if there is one. */
async function feed(parser: BusboyInstance, pieces: AudioPieces, files: FileQueue): Promise<void> {
  const parsed = Promise.withResolvers<void>();
  parser.on("finish", () => parsed.resolve());
  parser.on("error", () => files.fail(new WavecacheError("BAD_REQUEST")));
  try {
    for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
      const written = new Promise<void>((resolve) => parser.write(piece, () => resolve()));
      // The parser waits for a reader of the current file; after an error there is none.
      await Promise.race([written, files.ended]);
      if (files.isOver) return;
    }
    parser.end();
    await Promise.race([parsed.promise, files.ended]);
    files.close();
  } catch (error) {
    files.fail(toWavecacheError(error));
  }
}

/** Files that the parser has come to. */
class FileQueue {
  readonly #files: FormFile[] = [];
  readonly #open = new Set<BusboyFileStream>();
  readonly #ended = Promise.withResolvers<void>();
  #isOver = false;
  #error: WavecacheError | undefined;
  #wake = (): void => {};

  constructor(parser: BusboyInstance) {
    parser.on("file", (_, stream, name, _encoding, type) => this.#add(stream, name, type));
    for (const limit of ["filesLimit", "fieldsLimit", "partsLimit"] as const)
      parser.on(limit, () => this.fail(new WavecacheError("FORM_TOO_LARGE")));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when no further file comes. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Undefined after the last one. */
  async next(): Promise<FormFile | undefined> {
    while (this.#files.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
    return this.#files.shift();
  }

  fail(error: WavecacheError): void {
    this.#error ??= error;
    for (const stream of this.#open) stream.destroy(this.#error);
    this.close();
  }

  close(): void {
    this.#isOver = true;
    this.#ended.resolve();
    this.#wake();
  }

  #add(stream: BusboyFileStream, name: string | undefined, type: string): void {
    this.#open.add(stream);
    stream.once("close", () => this.#open.delete(stream));
    // Readers get the error from the queue; without a listener it would end the process.
    stream.on("error", () => this.fail(new WavecacheError("BAD_REQUEST")));
    this.#files.push({ name, type, pieces: this.#piecesOf(stream) });
    this.#wake();
  }

  #piecesOf(stream: BusboyFileStream): AudioPieces {
    const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    return {
      next: async () => {
        try {
          const { value, done } = await iterator.next();
          // The parser's buffer holds other parts, too.
          if (done !== true) return new Uint8Array(value);
        } catch (error) {
          throw this.#error ?? error;
        }
        if (this.#error !== undefined) throw this.#error;
        return undefined;
      },
      cancel: () => void stream.destroy(),
    };
  }
}
