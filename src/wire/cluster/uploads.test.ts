import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeReadAnswer,
  decodeReleaseAnswer,
  decodeRemoveAnswer,
  decodeUploadRequest,
  encodeReadAnswer,
  encodeReleaseAnswer,
  encodeRemoveAnswer,
  encodeUploadRequest,
  type ReadHead,
  type UploadRequest,
} from "./uploads.ts";

const anyBytes = fc.uint8Array({ maxLength: 200 });

describe("messages about uploads", () => {
  test("come back as they were sent", () => {
    const requests: UploadRequest[] = [
      { op: "release", streamId: "s" },
      { op: "remove", streamId: "s" },
      { op: "read", streamId: "s", key: "k", offset: 2 ** 40 },
    ];
    for (const request of requests)
      expect(decodeUploadRequest(encodeUploadRequest(request))).toEqual(request);
    for (const answer of [{ bytes: 7 }, { error: "STREAM_UNKNOWN" }])
      expect(decodeReleaseAnswer(encodeReleaseAnswer(answer))).toEqual(answer);
    for (const answer of [{ isRemoved: true } as const, { error: "STREAM_UNFINISHED" }])
      expect(decodeRemoveAnswer(encodeRemoveAnswer(answer))).toEqual(answer);
    const heads: ReadHead[] = [{ size: 9, isOver: true }, { error: "STREAM_UNKNOWN" }];
    fc.assert(
      fc.property(fc.constantFrom(...heads), anyBytes, (head, audio) => {
        expect(decodeReadAnswer(encodeReadAnswer(head, audio))).toEqual({ head, audio });
      }),
    );
  });

  test("are refused if they are none, whatever they are", () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(decodeUploadRequest(bytes)).toBeUndefined();
        expect(decodeReleaseAnswer(bytes)).toBeUndefined();
        expect(decodeReadAnswer(bytes)).toBeUndefined();
      }),
    );
    expect(
      decodeReadAnswer(encodeReadAnswer({ size: 1, isOver: true }, new Uint8Array(0)).subarray(0, 9)),
    ).toBeUndefined();
  });
});
