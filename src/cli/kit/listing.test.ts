import { describe, expect, test } from "bun:test";
import { type Listing, type Page, printListing } from "./listing.ts";

/** Serves the pages by their cursors, and counts the requests. */
function listingOf(pages: Record<string, Page<string>>) {
  const requests: { limit: number; after: string | undefined }[] = [];
  const listing: Listing<string> = {
    noun: "words",
    fetchPage: async (limit, after) => {
      requests.push({ limit, after });
      const { items, next } = pages[after ?? "start"]!;
      return { items: items.slice(0, limit), next };
    },
    tableOf: (items) => items.map((item) => `- ${item}`),
    cursorText: (next) => next,
  };
  return { listing, requests };
}

async function printed(listing: Listing<string>, options: Record<string, unknown> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    print: (line: string) => void out.push(line),
    printAll: (lines: readonly string[]) => void out.push(...lines),
    note: (line: string) => void err.push(line),
  };
  await printListing(listing, { limit: "100", ...options }, terminal);
  return { out, err };
}

describe("a listing", () => {
  test("continues after an empty page that has a next one", async () => {
    const { listing } = listingOf({
      start: { items: ["one"], next: "a" },
      a: { items: [], next: "b" },
      b: { items: ["two"], next: null },
    });
    expect(await printed(listing)).toEqual({ out: ["- one", "- two"], err: [] });
  });

  test("ends if the cursor does not advance", async () => {
    const { listing, requests } = listingOf({
      start: { items: [], next: "a" },
      a: { items: [], next: "a" },
    });
    expect(await printed(listing)).toEqual({ out: ["no words"], err: [] });
    expect(requests.map(({ after }) => after)).toEqual([undefined, "a"]);
  });

  test("stops at --limit and prints the cursor of the next page", async () => {
    const { listing, requests } = listingOf({
      start: { items: ["one", "two"], next: "a" },
      a: { items: ["three", "four"], next: "b" },
    });
    const { out, err } = await printed(listing, { limit: "3" });
    expect(out).toEqual(["- one", "- two", "- three"]);
    expect(err).toEqual(["there are more: continue with --after b"]);
    expect(requests.map(({ limit }) => limit)).toEqual([3, 1]);
  });

  test("starts after --after, and prints JSON with the cursor", async () => {
    const { listing } = listingOf({ a: { items: ["three"], next: null } });
    const { out } = await printed(listing, { after: "a", json: true });
    expect(JSON.parse(out.join("\n"))).toEqual({ words: ["three"], next: null });
  });
});
