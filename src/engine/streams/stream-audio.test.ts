import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { verifiedAtOnceBytes, verifiedPieceBytes } from "../../base/limits/audio-http.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import { identityOf } from "../../store/layout.ts";
import { noMetadata } from "../../store/streams/metadata.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { StreamAudios, type VerifyingReader } from "./stream-audio.ts";
import type { Readable } from "./readable-streams.ts";

const size = 2 * verifiedAtOnceBytes + verifiedPieceBytes + 5;

let folder: ReturnType<typeof temporaryFolder>;
let object: string;
let reader: FakeReader;
let forgotten: string[];
let found: Readable | undefined;
let audios: StreamAudios;

/** Keeps what it has read of a file until the file is forgotten, as an open descriptor does. */
class FakeReader implements VerifyingReader {
  readonly verified: [offset: number, length: number][] = [];
  isHashing = false;
  /** The file changes with each look at it. */
  isRestless = false;
  readonly #opened = new Map<string, string>();

  read({ path }: FileRef, offset: number, length: number, sink: ReadSink): void {
    queueMicrotask(() => {
      if (!fs.existsSync(path)) return sink.failed(new WavecacheError("OBJECT_MISSING", path));
      const bytes = fs.readFileSync(path).subarray(offset, offset + length);
      sink.part(bytes.subarray(0, 1), false);
      sink.part(bytes.subarray(1), true);
    });
  }

  resident(): undefined {
    return undefined;
  }

  async verify(path: string, offset: number, length: number): Promise<string> {
    this.verified.push([offset, length]);
    if (this.isHashing) return "";
    if (this.isRestless) return String(this.verified.length);
    const identity = this.#opened.get(path) ?? identityOf(fs.statSync(path, { bigint: true }));
    this.#opened.set(path, identity);
    return identity;
  }

  forget(path: string): void {
    this.#opened.delete(path);
  }
}

beforeEach(() => {
  folder = temporaryFolder();
  object = join(folder.path, "object");
  fs.writeFileSync(object, "");
  fs.truncateSync(object, size);
  reader = new FakeReader();
  forgotten = [];
  found = undefined;
  const readers = {
    assign: () => reader,
    bring: (file: FileRef) => file,
    forget: (path: string) => {
      forgotten.push(path);
      reader.forget(path);
    },
  };
  const locate = async (): Promise<Readable> => {
    if (found === undefined) throw new WavecacheError("STREAM_UNKNOWN");
    return found;
  };
  audios = new StreamAudios(readers, { locate, hold: () => () => {} });
});

afterEach(() => {
  folder[Symbol.dispose]();
});

function readable(path: string, immutable: boolean, key = "key"): Readable {
  const finished = immutable ? { finishedAt: 1, sha256: "00" } : { finishedAt: undefined, sha256: undefined };
  return { size, file: { path, immutable }, ...finished, key, metadata: noMetadata, format: null };
}

/** Whether the range can be sent, and the file that is sent leads to `path`. */
async function sends(path: string, offset: number, length: number): Promise<boolean> {
  const range = await audios.open("id", readable(path, true)).openRange(offset, length);
  if (range === undefined) return false;
  expect(fs.statSync(range.path).ino).toBe(fs.statSync(path).ino);
  await range.close();
  return true;
}

test("a range of an object is sent once its pieces are verified, each of them once", async () => {
  expect(await sends(object, 5, 10)).toBe(true);
  expect(reader.verified).toEqual([[0, verifiedPieceBytes]]);
  expect(await sends(object, 100, 1000)).toBe(true);
  expect(reader.verified).toHaveLength(1);
  expect(await sends(object, 0, size)).toBe(true);
  expect(reader.verified.slice(1)).toEqual([
    [verifiedPieceBytes, verifiedAtOnceBytes],
    [verifiedPieceBytes + verifiedAtOnceBytes, verifiedAtOnceBytes],
    [verifiedPieceBytes + 2 * verifiedAtOnceBytes, verifiedPieceBytes],
  ]);
});

test("an object that was written to or replaced is verified anew, by readers that open it anew", async () => {
  expect(await sends(object, 0, 10)).toBe(true);
  fs.writeFileSync(`${object}.new`, Buffer.alloc(size));
  fs.renameSync(`${object}.new`, object);
  expect(await sends(object, 0, 10)).toBe(true);
  expect(forgotten).toEqual([object]);
  // The reader first tells of the file that it has open, then of the new one.
  expect(reader.verified).toHaveLength(3);
});

test("what cannot be verified now has to be read", async () => {
  reader.isHashing = true;
  expect(await sends(object, 0, 10)).toBe(false);
  expect(forgotten).toEqual([]);
  reader.isHashing = false;
  reader.isRestless = true;
  expect(await sends(object, 0, 10)).toBe(false);
  expect(reader.verified).toHaveLength(3);
});

test("an object that is gone is left to the read, which reports it", async () => {
  fs.rmSync(object);
  const audio = audios.open("id", readable(object, true));
  expect(await audio.openRange(0, 10)).toBeUndefined();
  expect(forgotten).toEqual([object]);
  expect(audio.read(0, 10)).rejects.toThrow("missing on disk");
});

test("audio of an upload that finishes meanwhile is read and sent from its object", async () => {
  const incoming = join(folder.path, "incoming");
  fs.writeFileSync(object, "0123456789");
  for (const attempt of ["read", "open"] as const) {
    fs.writeFileSync(incoming, "0123456789");
    const audio = audios.open("id", readable(incoming, false));
    expect(Buffer.from(await audio.read(0, 3)).toString()).toBe("012");
    fs.rmSync(incoming);
    found = { ...readable(object, true), size: 10 };
    if (attempt === "read") expect(Buffer.from(await audio.read(3, 3)).toString()).toBe("345");
    else {
      const range = await audio.openRange(3, 3);
      expect(fs.readFileSync(range!.path, "utf8")).toBe("0123456789");
      await range!.close();
    }
  }
});

test("audio of an upload that was replaced by another one is not", async () => {
  const audio = audios.open("id", readable(join(folder.path, "gone"), false));
  found = readable(object, true, "another key");
  expect(audio.read(0, 3)).rejects.toThrow("missing on disk");
  expect(audio.openRange(0, 3)).rejects.toThrow("missing on disk");
});
