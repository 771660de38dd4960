import { expect, test } from "bun:test";
import { isStreamId } from "../base/ids/stream-id.ts";
import { newStreamId } from "./stream-id.ts";

test("new ids are valid, contain their time and are unique", () => {
  expect(newStreamId(1_700_000_000_000)).toMatch(/^stream-1700000000000-[0-9a-f]{16}$/);
  const ids = Array.from({ length: 10_000 }, () => newStreamId(1));
  expect(ids.every(isStreamId)).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
});
