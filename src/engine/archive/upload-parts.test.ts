import { beforeEach, describe, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import { archivePartBytes as partBytes } from "../../base/limits/archive.ts";
import { openLog } from "../../base/log/log.ts";
import type { StoredUpload, UploadPart } from "../../store/archive/parts/catalog.ts";
import { until } from "../../testing/harness/until.ts";
import type { GrowingUpload } from "../streams/stream-archive.ts";
import { UploadParts, type UploadPartsHost } from "./upload-parts.ts";

const limitMs = 5_000;

/** An upload whose audio is in its file as soon as it has come. */
class FakeUpload implements GrowingUpload {
  readonly streamId = "s";
  readonly key = "file";
  readonly ready: Promise<number>;
  finishing: Promise<unknown> | undefined;
  evicted: WavecacheError | undefined;
  readonly #over = Promise.withResolvers<void>();

  constructor(
    public receivedBytes: number,
    keptBytes = 0,
  ) {
    this.ready = Promise.resolve(keptBytes);
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  async readable(): Promise<number> {
    return this.receivedBytes;
  }

  evict(error: WavecacheError): void {
    this.evicted = error;
    this.end();
  }

  end(): void {
    this.finishing = Promise.resolve();
    this.#over.resolve();
  }
}

const part = (number: number, size: number): UploadPart => ({
  number,
  size,
  etag: "e",
  crc32: "c",
  sums: "s",
});

let calls: { call: string; args: unknown }[];
let answers: Record<string, (args: never) => unknown>;
let failures: unknown[];
let parts: UploadParts;

const named = (call: string) => calls.filter((each) => each.call === call).map(({ args }) => args);
const numbers = () => named("partsRecord").map((args) => (args as { part: UploadPart }).part.number);

beforeEach(() => {
  calls = [];
  failures = [];
  answers = {
    beginParts: () => `id-${named("beginParts").length}`,
    storePart: ({ number, size }: { number: number; size: number }) => part(number, size),
    remove: () => null,
    partsBegin: () => true,
    partsRecord: () => true,
    partsForget: () => true,
    partsFind: () => null,
  };
  const call = async (name: string, args: unknown) => {
    calls.push({ call: name, args });
    return answers[name]!(args as never);
  };
  const host: UploadPartsHost = {
    keeper: { call: call as UploadPartsHost["keeper"]["call"] },
    archiver: { call: call as UploadPartsHost["archiver"]["call"] },
    answered: (error) => void (error === undefined || failures.push(error)),
    settled: () => {},
    maxStreamBytes: () => partBytes * 10,
  };
  parts = new UploadParts(host, openLog("test"));
});

describe("the parts of an upload in progress", () => {
  test("are stored as soon as each is whole, with one transaction each besides the first", async () => {
    const upload = new FakeUpload(partBytes - 1);
    expect(parts.grew(upload)).toBe(partBytes);
    expect(calls).toEqual([]);
    upload.receivedBytes = 2 * partBytes + 1;
    expect(parts.grew(upload)).toBe(3 * partBytes);
    await until("two parts", limitMs, () => numbers().length === 2);
    expect(numbers()).toEqual([1, 2]);
    expect(calls.map(({ call }) => call)).toEqual([
      "beginParts",
      "partsBegin",
      "storePart",
      "partsRecord",
      "storePart",
      "partsRecord",
    ]);
    expect(named("storePart")).toEqual([
      expect.objectContaining({ fileKey: "file", number: 1, offset: 0, size: partBytes }),
      expect.objectContaining({ number: 2, offset: partBytes }),
    ]);
    expect(parts.figures).toEqual({ parts: 2, bytes: 2 * partBytes });
  });

  test("continue behind those that the catalog knows, apart from a short one", async () => {
    const known = [part(1, partBytes), part(2, 1000)];
    answers["partsFind"] = (): StoredUpload => ({
      key: "uploads/k",
      uploadId: "id",
      parts: known,
      base: undefined,
    });
    const upload = new FakeUpload(2 * partBytes, partBytes + 1000);
    parts.grew(upload);
    await until("a part", limitMs, () => numbers().length === 1);
    expect(named("storePart")).toEqual([
      expect.objectContaining({ ref: { key: "uploads/k", uploadId: "id" }, number: 2, offset: partBytes }),
    ]);
  });

  test("are tried again after a failure, and stop with the upload", async () => {
    let tries = 0;
    const { storePart } = answers;
    answers["storePart"] = (args) => {
      tries += 1;
      if (tries === 1) throw new WavecacheError("ARCHIVE_UNAVAILABLE");
      return storePart!(args);
    };
    const upload = new FakeUpload(partBytes);
    parts.grew(upload);
    await until("a part", limitMs, () => numbers().length === 1);
    expect(failures).toHaveLength(1);
    upload.receivedBytes = 3 * partBytes;
    upload.end();
    parts.grew(upload);
    await parts.close();
    expect(numbers()).toEqual([1]);
  });

  test("begin again under another key if the object store has forgotten them", async () => {
    const { storePart } = answers;
    answers["storePart"] = (args) => (named("storePart").length === 2 ? null : storePart!(args));
    const upload = new FakeUpload(2 * partBytes);
    parts.grew(upload);
    await until("three parts", limitMs, () => numbers().length === 3);
    expect(numbers()).toEqual([1, 1, 2]);
    expect(named("partsForget")).toHaveLength(1);
    const keys = named("storePart").map((args) => (args as { ref: { key: string } }).ref.key);
    expect(new Set(keys).size).toBe(2);
  });

  test.each(["partsBegin", "partsRecord", "partsForget"])(
    "end the upload once %s says that another node has it",
    async (call) => {
      answers[call] = () => false;
      if (call === "partsForget") answers["storePart"] = () => null;
      const upload = new FakeUpload(3 * partBytes);
      parts.grew(upload);
      await until("the end of the upload", limitMs, () => upload.evicted !== undefined);
      expect(upload.evicted!.code).toBe("STREAM_TAKEN_OVER");
      await parts.close();
      expect(named("storePart").length).toBe(call === "partsBegin" ? 0 : 1);
      // Nothing stays in the object store that the catalog does not know.
      expect(named("remove").length).toBe(call === "partsBegin" ? 1 : 0);
    },
  );

  test("keep their key from the queue while one is on its way, also after the end of the upload", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { storePart } = answers;
    answers["storePart"] = async (args) => {
      await promise;
      return storePart!(args);
    };
    const upload = new FakeUpload(partBytes);
    parts.grew(upload);
    await until("a part on its way", limitMs, () => parts.keysUnderWay.length === 1);
    upload.end();
    expect(parts.keysUnderWay[0]).toStartWith("uploads/file.");
    resolve();
    await until("its end", limitMs, () => parts.keysUnderWay.length === 0);
    expect(numbers()).toEqual([1]);
  });

  test("of an interrupted upload are stored to its end, the last one as short as it is", async () => {
    await parts.storeTail({ streamId: "s", key: "file" }, 2 * partBytes + 5);
    expect(named("storePart").map((args) => (args as { size: number }).size)).toEqual([
      partBytes,
      partBytes,
      5,
    ]);
    expect(numbers()).toEqual([1, 2, 3]);
    answers["partsRecord"] = () => false;
    await parts.storeTail({ streamId: "s", key: "file" }, 2 * partBytes + 5);
    expect(numbers()).toEqual([1, 2, 3, 1]);
  });
});
