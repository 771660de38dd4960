import { describe, expect, test } from "bun:test";
import {
  errorCodes,
  errorNumber,
  errorOfNumber,
  errorRow,
  toWavecacheError,
  WavecacheError,
} from "./errors.ts";

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe("the error table", () => {
  test("has a message and a hint for every code, in one line each", () => {
    expect(errorCodes.length).toBeGreaterThan(40);
    for (const code of errorCodes) {
      const { reason, hint, http } = errorRow(code);
      expect(`${reason}|${hint}`, code).toMatch(/^[^\n|]+\|[^\n|]+$/);
      expect(http, code).toBeWithin(400, 600);
    }
  });

  test("has close reasons that fit a close frame", () => {
    for (const code of errorCodes) expect(Buffer.byteLength(errorRow(code).reason), code).toBeLessThan(124);
  });
});

test("an error crosses threads as a number, and 0 is none", () => {
  for (const code of errorCodes) {
    expect(errorNumber(code)).toBeGreaterThan(0);
    expect(errorOfNumber(errorNumber(code), "detail")).toMatchObject({ code, detail: "detail" });
  }
  expect(() => errorOfNumber(0)).toThrow(RangeError);
  expect(() => errorOfNumber(errorCodes.length + 1)).toThrow(RangeError);
});

test("errors of the system become those of the table, and errors of the table stay as they are", () => {
  expect(toWavecacheError(systemError("ENOSPC")).code).toBe("DISK_FULL");
  expect(toWavecacheError(systemError("EROFS")).code).toBe("STORE_UNWRITABLE");
  expect(toWavecacheError("odd")).toMatchObject({ code: "STORE_FAILED", detail: "odd" });
  const known = new WavecacheError("NO_DATA");
  expect(toWavecacheError(known)).toBe(known);
});
