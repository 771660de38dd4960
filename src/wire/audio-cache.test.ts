import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isStreamId } from "../base/ids/stream-id.ts";
import {
  decodeReply,
  decodeRequest,
  encodeError,
  encodeGet,
  encodeStart,
  encodeStarted,
  encodeStop,
  encodeStopped,
} from "./audio-cache.ts";

const sha256 = "0123456789abcdef".repeat(4);

describe("the decoder of the server", () => {
  test.each([
    [
      '{"type":"START","streamId":"X"}',
      { type: "START", typeCase: "upper", streamId: "X", mode: "create", size: undefined },
    ],
    [
      '{ "streamId" : "X",\n "type" : "start" }',
      { type: "START", typeCase: "lower", streamId: "X", mode: "create", size: undefined },
    ],
    [
      '{"type":"Start","streamId":"X","resume":true}',
      { type: "START", typeCase: "capital", streamId: "X", mode: "resume", size: undefined },
    ],
    [
      '{"type":"START","streamId":"X","resume":"yes"}',
      { type: "START", typeCase: "upper", streamId: "X", mode: "create", size: undefined },
    ],
    [
      '{"type":"STOP","streamId":null,"offset":null}',
      { type: "STOP", typeCase: "upper", streamId: undefined },
    ],
    [
      '{"type":"START","streamId":"X","size":9}',
      { type: "START", typeCase: "upper", streamId: "X", mode: "create", size: 9 },
    ],
    [
      '{"type":"START","streamId":"X","size":"large"}',
      { type: "START", typeCase: "upper", streamId: "X", mode: "create", size: undefined },
    ],
    [
      '{"type":"START","streamId":"X","resume":true,"restart":true}',
      { type: "START", typeCase: "upper", streamId: "X", mode: "restart", size: undefined },
    ],
    [
      `{"type":"STOP","sha256":"${sha256.toUpperCase()}"}`,
      { type: "STOP", typeCase: "upper", streamId: undefined, sha256 },
    ],
    ['{"type":"STOP","streamId":""}', { type: "STOP", typeCase: "upper", streamId: undefined }],
    [
      '{"type":"START","streamId":7}',
      { type: "START", typeCase: "upper", streamId: undefined, mode: "create", size: undefined },
    ],
    [
      '{"type":"GET","streamId":"X"}',
      { type: "GET", typeCase: "upper", streamId: "X", offset: 0, length: 65536 },
    ],
    [
      '{"type":"gEt","streamId":"X","offset":5,"length":0}',
      { type: "GET", typeCase: "upper", streamId: "X", offset: 5, length: 0 },
    ],
    [
      '{"length":9,"extra":{"a":[1]},"type":"GET","streamId":"X","offset":null}',
      { type: "GET", typeCase: "upper", streamId: "X", offset: 0, length: 9 },
    ],
  ])("reads %s", (text, expected) => {
    expect(decodeRequest(text)).toEqual(expected as never);
  });

  test.each([
    ["", "Invalid JSON format"],
    ["{", "Invalid JSON format"],
    ["[]", "Invalid JSON format"],
    ["null", "Invalid JSON format"],
    ['"START"', "Invalid JSON format"],
    ['{"type":"FOO"}', "Unknown message type: FOO"],
    ["{}", "Unknown message type: "],
    ['{"type":"GET","streamId":"X","offset":-1}', "Invalid offset"],
    ['{"type":"GET","streamId":"X","offset":1.5}', "Invalid offset"],
    ['{"type":"GET","streamId":"X","length":"9"}', "Invalid length"],
    ['{"type":"GET","streamId":"X","length":1e300}', "Invalid length"],
    ['{"type":"STOP","streamId":"X","sha256":"abc"}', "Invalid sha256"],
  ])("answers %s with a text", (text, message) => {
    expect(decodeRequest(text)).toEqual({ type: "MALFORMED", message });
  });

  test("returns a value for any text and any JSON, and never throws", () => {
    const near = fc.record(
      {
        type: fc.oneof(fc.constantFrom("START", "stop", "Get"), fc.jsonValue()),
        streamId: fc.jsonValue(),
        offset: fc.jsonValue(),
        length: fc.jsonValue(),
        resume: fc.jsonValue(),
        restart: fc.jsonValue(),
        sha256: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      near.map((value) => JSON.stringify(value)),
    );
    const property = fc.property(texts, (text) => {
      const request = decodeRequest(text);
      if (request.type === "MALFORMED") expect(request.message).not.toBe("");
      else expect(request.streamId).not.toBe("");
      decodeReply(text);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test("survives JSON that is nested deeper than the stack", () => {
    expect(decodeRequest("[".repeat(1_000_000)).type).toBe("MALFORMED");
  });
});

describe("a message of the server", () => {
  test("is compact JSON with the keys in the order that old clients search for", () => {
    expect(encodeStarted("upper", "X")).toBe(
      '{"type":"STARTED","streamId":"X","message":"Stream started successfully","resumable":true}',
    );
    expect(encodeStopped("upper", "X", 5, sha256)).toBe(
      `{"type":"STOPPED","streamId":"X","message":"Stream finalized successfully","size":5,"sha256":"${sha256}"}`,
    );
    expect(encodeError("no")).toBe('{"type":"ERROR","message":"no"}');
  });

  test("has the case of its request", () => {
    expect(encodeStarted("lower", "X")).toStartWith('{"type":"started"');
    expect(encodeStopped("capital", "X", 0, sha256)).toStartWith('{"type":"Stopped"');
    expect(encodeError("no", "lower")).toStartWith('{"type":"error"');
  });

  test("is understood by the client, in any case", () => {
    for (const typeCase of ["upper", "lower", "capital"] as const) {
      expect(decodeReply(encodeStarted(typeCase, "X", { size: 7, sha256 }))).toEqual({
        type: "STARTED",
        streamId: "X",
        offset: 7,
        sha256,
        resumable: true,
      });
      expect(decodeReply(encodeStopped(typeCase, "X", 5, sha256))).toEqual({
        type: "STOPPED",
        streamId: "X",
        size: 5,
        sha256,
      });
      expect(decodeReply(encodeError("no", typeCase))).toEqual({ type: "ERROR", message: "no" });
    }
  });
});

describe("a message of the client", () => {
  test("has the form that every server accepts: upper case, no null, no extra keys", () => {
    expect(encodeStart("X")).toBe('{"type":"START","streamId":"X"}');
    expect(encodeStart("X", "resume")).toBe('{"type":"START","streamId":"X","resume":true}');
    expect(encodeStart("X", "restart")).toBe('{"type":"START","streamId":"X","restart":true}');
    expect(encodeStop("X")).toBe('{"type":"STOP","streamId":"X"}');
    expect(encodeGet("X", 0, 65536)).toBe('{"type":"GET","streamId":"X","offset":0,"length":65536}');
  });

  test("is understood by the server", () => {
    expect(decodeRequest(encodeGet("X", 5, 6))).toMatchObject({
      type: "GET",
      streamId: "X",
      offset: 5,
      length: 6,
    });
    expect(decodeRequest(encodeStart("X", "resume"))).toMatchObject({ type: "START", mode: "resume" });
    expect(decodeRequest(encodeStart("X", "restart"))).toMatchObject({ type: "START", mode: "restart" });
    expect(decodeRequest(encodeStop("X"))).toMatchObject({ type: "STOP", streamId: "X", sha256: undefined });
    expect(decodeRequest(encodeStop("X", sha256))).toMatchObject({ type: "STOP", streamId: "X", sha256 });
  });
});

describe("the decoder of the client", () => {
  test.each([
    [
      '{ "type" : "Started" , "stream_id" : "X", "extra": null }',
      { type: "STARTED", streamId: "X", offset: undefined, resumable: false },
    ],
    ['{"message":"x","type":"ERROR","streamId":null}', { type: "ERROR", message: "x" }],
    ['{"type":"CONNECTED","message":"hi"}', { type: "CONNECTED", message: "hi" }],
    ['{"type":"PONG"}', undefined],
    ["audio as text", undefined],
    ["12", undefined],
  ])("reads %s", (text, expected) => {
    expect(decodeReply(text)).toEqual(expected as never);
  });
});

describe("a stream id", () => {
  test.each(["a", "A-1_b.c", "...", "x".repeat(128), "-", "..a"])("may be %s", (id) => {
    expect(isStreamId(id)).toBe(true);
  });

  test.each(["", ".", "..", "a/b", "a\\b", "a b", "a\n", "é", "x".repeat(129), "a\0", "%2e"])(
    "may not be %j",
    (id) => {
      expect(isStreamId(id)).toBe(false);
    },
  );
});
