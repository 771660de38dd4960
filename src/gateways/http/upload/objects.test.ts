import { expect, test } from "bun:test";
import { Grants } from "../../../access/grants.ts";
import { Principal } from "../../../access/principal.ts";
import { toWavecacheError } from "../../../base/errors.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { readableObject } from "./objects.ts";

function principal(grants: string): Principal {
  const ended = new AbortController().signal;
  return new Principal({ kind: "token", id: "x", grants: Grants.parse(grants), address: "", ended });
}

function sizeFor(grants: string, streamIds: string[]): Promise<number | string> {
  const rows = streamIds.map((streamId) => ({ streamId, size: 10 }) as StreamRow);
  const objects = { streamsOf: async () => rows, adopt: () => Promise.reject(new Error("not called")) };
  return readableObject(objects, "0".repeat(64), principal(grants)).catch(
    (error: unknown) => toWavecacheError(error).code,
  );
}

test("an object is unknown to whoever may read none of its streams", async () => {
  expect(await sizeFor("read:streams/mine", ["mine", "yours"])).toBe(10);
  expect(await sizeFor("read:streams/mine", ["yours"])).toBe("OBJECT_UNKNOWN");
  expect(await sizeFor("upload:streams/**", ["yours"])).toBe("OBJECT_UNKNOWN");
  expect(await sizeFor("read:streams/**", [])).toBe("OBJECT_UNKNOWN");
});
