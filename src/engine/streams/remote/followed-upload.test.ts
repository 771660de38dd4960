import { beforeEach, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { WavecacheError } from "../../../base/errors.ts";
import type { Bus } from "../../../bus/bus.ts";
import { noMetadata } from "../../../store/streams/metadata.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { Random, sha256 } from "../../../testing/harness/bytes.ts";
import { decodeUploadRequest, encodeReadAnswer } from "../../../wire/cluster/uploads.ts";
import { FollowedUpload } from "./followed-upload.ts";

const audio = new Random(5).bytes(1000);
/** Of one answer. */
const pieceBytes = 100;
const place = { streamId: "s", key: "k", node: "n", metadata: noMetadata };

/** What the other node has; undefined if it does not answer. */
let there: { size: number; isOver: boolean } | { error: string } | undefined;
let reserved: number;
let ends: number;
let requests: number;

function uploadIn(folder: string, maxBytes = Number.POSITIVE_INFINITY): FollowedUpload {
  const bus: Bus = {
    isConnected: true,
    publish: () => true,
    subscribe: () => () => {},
    request: async (subject, payload) => {
      requests += 1;
      expect(subject).toBe("uploads.n");
      if (there === undefined) throw new WavecacheError("NODE_UNREACHABLE");
      const asked = decodeUploadRequest(payload);
      if (asked?.op !== "read" || "error" in there) return encodeReadAnswer(there, new Uint8Array(0));
      const end = Math.min(there.size, asked.offset + pieceBytes);
      return encodeReadAnswer(there, audio.subarray(asked.offset, end));
    },
  };
  const reserve = (bytes: number) => {
    if (reserved + bytes > maxBytes) throw new WavecacheError("FETCHES_EXHAUSTED");
    reserved += bytes;
  };
  return new FollowedUpload(place, join(folder, "k"), { bus, reserve, ended: () => void (ends += 1) });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return (error as WavecacheError).code;
  }
}

beforeEach(() => {
  there = { size: 950, isOver: false };
  reserved = 0;
  ends = 0;
  requests = 0;
});

describe("an upload that is followed", () => {
  test("comes here as far as it is wanted, and grows", async () => {
    using folder = temporaryFolder();
    const upload = uploadIn(folder.path);
    expect(await upload.readable(250)).toBe(300);
    expect(await upload.readable(Number.POSITIVE_INFINITY)).toBe(950);
    expect(sha256(await readFile(upload.path))).toBe(sha256(audio.subarray(0, 950)));
    expect([upload.isOver, ends, reserved]).toEqual([false, 0, 950]);
    there = { size: 1000, isOver: true };
    expect(await upload.readable(Number.POSITIVE_INFINITY)).toBe(1000);
    expect([upload.isOver, ends, upload.sha256]).toEqual([true, 1, sha256(audio)]);
    await upload.close();
    expect([reserved, await Bun.file(upload.path).exists()]).toEqual([0, false]);
  });

  test("releases the room of what could not be written", async () => {
    using folder = temporaryFolder();
    const upload = uploadIn(join(folder.path, "missing"));
    for (let tries = 0; tries < 3; tries += 1) expect(await codeOf(upload.readable(100))).toBe("ENOENT");
    expect([reserved, upload.size]).toEqual([0, 0]);
    await upload.close();
    expect(reserved).toBe(0);
  });

  test("is asked for once by everybody who waits", async () => {
    using folder = temporaryFolder();
    const upload = uploadIn(folder.path);
    const sizes = await Promise.all([upload.readable(100), upload.readable(100), upload.readable(50)]);
    expect([sizes, requests]).toEqual([[100, 100, 100], 1]);
    await upload.close();
  });

  test("fails while its node does not answer, and ends once the node has another", async () => {
    using folder = temporaryFolder();
    const upload = uploadIn(folder.path);
    await upload.readable(100);
    there = undefined;
    expect(await codeOf(upload.readable(200))).toBe("NODE_UNREACHABLE");
    expect([upload.isOver, ends, upload.size]).toEqual([false, 0, 100]);
    there = { error: "STREAM_UNKNOWN" };
    expect(await codeOf(upload.readable(200))).toBe("STREAM_UNKNOWN");
    expect([upload.isOver, ends]).toEqual([true, 1]);
    there = { error: "no code" };
    expect(await codeOf(upload.readable(200))).toBe("NODE_UNREACHABLE");
    await upload.close();
  });

  test("is refused where there is no room for it", async () => {
    using folder = temporaryFolder();
    const upload = uploadIn(folder.path, 150);
    expect(await codeOf(upload.readable(300))).toBe("FETCHES_EXHAUSTED");
    expect([upload.size, reserved]).toEqual([100, 100]);
    await upload.close();
    expect(reserved).toBe(0);
  });
});
