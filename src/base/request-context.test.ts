import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { maxRequestIdChars } from "./limits/log.ts";
import { newRequestId, requestContextOf } from "./request-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${spanId}-01`;

function contextOf(headers: Record<string, string>) {
  return requestContextOf(new Headers(headers));
}

describe("the id of a request", () => {
  test("is that of the caller, or its trace, or a new one", () => {
    expect(contextOf({ "x-request-id": "Ab.9_-:/+=", traceparent }).requestId).toBe("Ab.9_-:/+=");
    expect(contextOf({ traceparent }).requestId).toBe(traceId);
    expect(contextOf({}).requestId).toMatch(/^[\da-f]{6}-[\da-z]+$/);
  });

  test("is new for each request without one", () => {
    const ids = new Set(Array.from({ length: 1000 }, newRequestId));
    expect(ids.size).toBe(1000);
  });

  test("has only characters that are safe in a log and a header, whatever the caller sends", () => {
    const header = fc.string({ unit: "binary-ascii" }).filter((text) => !/[\0\r\n]/.test(text));
    fc.assert(
      fc.property(header, (sent) => {
        const { requestId } = contextOf({ "x-request-id": sent });
        expect(requestId).toMatch(/^[\w.+/=:-]+$/);
        expect(requestId.length).toBeLessThanOrEqual(maxRequestIdChars);
      }),
    );
    expect(contextOf({ "x-request-id": "x".repeat(maxRequestIdChars) }).requestId).toStartWith("xx");
    expect(contextOf({ "x-request-id": "x".repeat(maxRequestIdChars + 1) }).requestId).not.toContain("x");
    expect(contextOf({ "x-request-id": "two words" }).requestId).not.toContain("two");
  });
});

describe("the trace of a request", () => {
  test("is read with its flag", () => {
    expect(contextOf({ traceparent }).traceParent).toEqual({ traceId, spanId, isSampled: true });
    expect(contextOf({ traceparent: `00-${traceId}-${spanId}-00` }).traceParent?.isSampled).toBe(false);
    expect(contextOf({ traceparent: `cc-${traceId}-${spanId}-03-more` }).traceParent?.isSampled).toBe(true);
  });

  test.each([
    ["nothing", ""],
    ["a version that is none", `ff-${traceId}-${spanId}-01`],
    ["no trace", `00-${"0".repeat(32)}-${spanId}-01`],
    ["no span", `00-${traceId}-${"0".repeat(16)}-01`],
    ["capital letters", traceparent.toUpperCase()],
    ["a short trace", `00-${traceId.slice(1)}-${spanId}-01`],
    ["more without a separator", `${traceparent}0`],
  ])("is ignored if it has %s", (_, header) => {
    expect(contextOf({ traceparent: header }).traceParent).toBeUndefined();
  });
});
