import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { WavecacheError } from "../../../base/errors.ts";
import { maxIdleUploads } from "../../../base/limits/tus.ts";
import type { Upload, UploadOwner } from "../../../engine/streams/upload.ts";
import type { OpenUpload } from "../upload/body-upload.ts";
import { IdleUploads, SharedUpload } from "./idle-uploads.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

class FakeUpload {
  readonly streamId: string;
  readonly #over = Promise.withResolvers<void>();
  readonly over = this.#over.promise;
  left: string | undefined;

  constructor(streamId: string) {
    this.streamId = streamId;
  }

  leave(error: WavecacheError): void {
    this.left = error.code;
    this.end();
  }

  end(): void {
    this.#over.resolve();
  }
}

function open(streamId: string) {
  const upload = new FakeUpload(streamId);
  return { upload, shared: new SharedUpload(() => upload as unknown as OpenUpload, {}) };
}

/** Records what a request hears of its upload. */
function recorder(heard: string[]): UploadOwner {
  return {
    uploadHolds: () => void heard.push("holds"),
    uploadHasRoom: () => void heard.push("has room"),
    uploadFailed: (_upload, { code }) => void heard.push(code),
  };
}

describe("an idle upload", () => {
  test("is taken once, and is not left then", () => {
    const idle = new IdleUploads(50);
    const { shared, upload } = open("x");
    idle.add(shared);
    expect(idle.take("other")).toBeUndefined();
    expect(idle.take("x")).toBe(shared);
    expect(idle.take("x")).toBeUndefined();
    jest.advanceTimersByTime(1000);
    expect(upload.left).toBeUndefined();
  });

  test("is left after a while, counted from its last request", () => {
    const idle = new IdleUploads(50);
    const { shared, upload } = open("x");
    idle.add(shared);
    jest.advanceTimersByTime(30);
    idle.add(idle.take("x")!);
    jest.advanceTimersByTime(30);
    expect(upload.left).toBeUndefined();
    jest.advanceTimersByTime(20);
    expect(upload.left).toBe("STREAM_UNFINISHED");
    expect(idle.take("x")).toBeUndefined();
  });

  test("is forgotten when another connection ends it, but not its successor", async () => {
    const idle = new IdleUploads();
    const { shared, upload } = open("x");
    idle.add(shared);
    upload.end();
    await upload.over;
    expect(idle.take("x")).toBeUndefined();
    const [first, second] = [open("y"), open("y")];
    idle.add(first.shared);
    idle.take("y");
    idle.add(second.shared);
    first.upload.end();
    await first.upload.over;
    expect(idle.take("y")).toBe(second.shared);
  });

  test("makes room for others if there are too many", () => {
    const idle = new IdleUploads();
    const all = Array.from({ length: maxIdleUploads + 1 }, (_, at) => open(`x${at}`));
    for (const { shared } of all) idle.add(shared);
    expect(all.map(({ upload }) => upload.left).filter((left) => left !== undefined)).toEqual([
      "STREAM_UNFINISHED",
    ]);
    expect(all[0]!.upload.left).toBe("STREAM_UNFINISHED");
    for (const { upload } of all) idle.take(upload.streamId);
  });
});

test("a request learns of backpressure that began before it had the upload", () => {
  const { shared } = open("x");
  const [first, second]: string[][] = [[], []];
  const upload = {} as Upload;
  shared.giveTo(recorder(first!));
  shared.uploadHolds(upload);
  shared.uploadHasRoom(upload);
  shared.giveTo(undefined);
  shared.uploadHolds(upload);
  shared.giveTo(recorder(second!));
  shared.uploadFailed(upload, new WavecacheError("DISK_FULL"));
  expect(first).toEqual(["holds", "has room"]);
  expect(second).toEqual(["holds", "DISK_FULL"]);
});
