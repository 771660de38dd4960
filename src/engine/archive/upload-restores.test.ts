import { beforeEach, describe, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import { openLog } from "../../base/log/log.ts";
import type { RestoredUpload } from "../../store/archive/archiver-calls.ts";
import type { StoredUpload } from "../../store/archive/parts/catalog.ts";
import { CacheLayout } from "../../store/layout.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { until } from "../../testing/harness/until.ts";
import { type RestoreHost, UploadRestores } from "./upload-restores.ts";

const upload = { streamId: "s", key: "file" };
const part = { number: 1, size: 100, etag: "e", crc32: "c", sums: "s" };
const stored: StoredUpload = { key: "uploads/k", uploadId: "id", parts: [part], base: undefined };

let restored: PromiseWithResolvers<RestoredUpload>;
let isOwn: boolean;
let bytes: number;
let calls: string[];
let failures: unknown[];

async function call(name: string): Promise<unknown> {
  calls.push(name);
  return name === "restore" ? await restored.promise : isOwn;
}

function restoresIn(root: string, waitMs = 5_000): UploadRestores {
  const host: RestoreHost = {
    keeper: { call: call as RestoreHost["keeper"]["call"] },
    archiver: { call: call as RestoreHost["archiver"]["call"] },
    layout: new CacheLayout(root),
    answered: (error) => void failures.push(error),
    count: (more) => {
      if (bytes + more > 1_000) throw new WavecacheError("CACHE_FULL");
      bytes += more;
    },
  };
  return new UploadRestores(host, openLog("test"), waitMs);
}

/** `expect(promise).rejects` blocks the thread. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return (error as WavecacheError).code;
  }
}

beforeEach(() => {
  restored = Promise.withResolvers();
  isOwn = true;
  bytes = 0;
  calls = [];
  failures = [];
});

describe("an upload that is brought here", () => {
  test("is brought once, whoever waits for it, and counts for the cache", async () => {
    using folder = temporaryFolder();
    const restores = restoresIn(folder.path);
    const waiting = [restores.bring(upload, stored), restores.bring(upload, stored)];
    expect(bytes).toBe(100);
    restored.resolve({ baseKey: "uploads/k", count: 1, bytes: 100 });
    expect(await Promise.all(waiting)).toEqual([100, 100]);
    expect(calls).toEqual(["restore", "partsRestored"]);
    expect([bytes, failures]).toEqual([100, [undefined]]);
    expect(restores.figures).toEqual({ uploads: 1, bytes: 100 });
  });

  test("lets its client come again if it takes longer, and comes here meanwhile", async () => {
    using folder = temporaryFolder();
    const restores = restoresIn(folder.path, 1);
    expect(await codeOf(restores.bring(upload, stored))).toBe("UPLOAD_MOVING");
    restored.resolve({ baseKey: "uploads/k", count: 1, bytes: 100 });
    await until("the upload", 5_000, () => restores.figures.uploads === 1);
  });

  test("that cannot be brought takes no room, and the archive counts as away", async () => {
    using folder = temporaryFolder();
    const restores = restoresIn(folder.path);
    restored.reject(new WavecacheError("ARCHIVE_UNAVAILABLE"));
    expect(await codeOf(restores.bring(upload, stored))).toBe("ARCHIVE_UNAVAILABLE");
    expect(bytes).toBe(0);
    expect((failures[0] as WavecacheError).code).toBe("ARCHIVE_UNAVAILABLE");
    bytes = 950;
    expect(await codeOf(restores.bring(upload, stored))).toBe("CACHE_FULL");
    expect(calls).toEqual(["restore"]);
  });

  test("leaves no file if another node has the stream by then", async () => {
    using folder = temporaryFolder();
    const restores = restoresIn(folder.path);
    const { incoming } = new CacheLayout(folder.path);
    const path = `${incoming}/file`;
    await Bun.write(path, "audio");
    isOwn = false;
    restored.resolve({ baseKey: "uploads/k", count: 1, bytes: 100 });
    expect(await codeOf(restores.bring(upload, stored))).toBe("STREAM_TAKEN_OVER");
    expect([await Bun.file(path).exists(), bytes]).toEqual([false, 0]);
  });
});
