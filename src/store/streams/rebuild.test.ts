import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { setAside } from "../check/lost-found.ts";
import { finishOf } from "../journal/entry.ts";
import { Journal } from "../journal/journal.ts";
import { CacheLayout } from "../layout.ts";
import type { FinishedStream, StreamRow } from "./catalog.ts";
import { rebuildCatalog } from "./rebuild.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
});

afterEach(() => folder[Symbol.dispose]());

const metadata = { contentType: "audio/x", format: undefined, tags: { a: "b" } };
const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");
const rebuild = (deep = false) => rebuildCatalog(layout, { deep, onProgress: () => {} });

function object(text: string): string {
  const sha256 = digest(text);
  fs.mkdirSync(layout.objectFolder(sha256), { recursive: true });
  fs.writeFileSync(layout.objectPath(sha256), text);
  return sha256;
}

function stream(streamId: string, text: string): FinishedStream {
  const { length: size } = text;
  return {
    streamId,
    key: `key-${streamId}`,
    sha256: digest(text),
    size,
    format: null,
    metadata,
    audio: null,
    createdAt: 4,
    finishedAt: 5,
  };
}

function journal(...streams: FinishedStream[]): void {
  new Journal(layout.journal).append(streams.map(finishOf));
}

function rows(): StreamRow[] {
  const catalog = new SqliteCatalog(layout.catalog);
  try {
    return catalog.list({ state: undefined, after: "", limit: 1000 });
  } finally {
    catalog.close();
  }
}

describe("a catalog that is built anew", () => {
  test("knows again which token a stream counts for", async () => {
    object("one");
    object("two");
    journal({ ...stream("a", "one"), account: "kitchen" }, stream("b", "two"));
    await rebuild();
    expect(rows().map(({ streamId, account }) => [streamId, account])).toEqual([
      ["a", "kitchen"],
      ["b", null],
    ]);
    const catalog = new SqliteCatalog(layout.catalog);
    try {
      expect(catalog.accounts.storedBytes("kitchen", [])).toBe(3);
    } finally {
      catalog.close();
    }
    // The rebuild has written the journal anew, from the catalog.
    fs.unlinkSync(layout.catalog);
    await rebuild();
    expect(rows()[0]!.account).toBe("kitchen");
  });

  test("has the streams of the journal again, with all that was known of them", async () => {
    object("one");
    object("two");
    journal(
      stream("a", "one"),
      stream("same-audio", "one"),
      stream("b", "two"),
      stream("without an object", "three"),
    );
    expect(await rebuild()).toMatchObject({ objects: 2, known: 3, unknown: 0, damaged: [] });
    expect(rows().map((row) => row.streamId)).toEqual(["a", "b", "same-audio"]);
    expect(rows()[0]).toMatchObject({
      state: "finished",
      key: "key-a",
      size: 3,
      metadata,
      createdAt: 4,
      finishedAt: 5,
    });
  });

  test("has other objects under their SHA-256, with the format that their first bytes tell", async () => {
    const wav = Buffer.concat([Buffer.from("RIFF\0\0\0\0WAVEfmt "), Buffer.alloc(48)]).toString("latin1");
    const sha256 = object(wav);
    fs.writeFileSync(join(layout.objectFolder(sha256), "stray"), "?");
    expect(await rebuild()).toMatchObject({ objects: 1, known: 0, unknown: 1 });
    expect(rows()).toHaveLength(1);
    expect(rows()[0]).toMatchObject({ streamId: sha256, sha256, size: 64, format: "audio/wav" });
  });

  test("has an object under its SHA-256 if its id has another stream by now", async () => {
    object("new");
    journal(stream("x", "new"));
    await rebuild();
    const old = object("old");
    journal({ ...stream("x", "old"), key: "old" }, stream("x", "new"));
    expect(await rebuild()).toMatchObject({ known: 0, unknown: 1 });
    expect(
      rows()
        .map((row) => row.streamId)
        .toSorted(),
    ).toEqual([old, "x"].toSorted());
  });

  test("keeps the rows that are there, and gets objects back from lost and found", async () => {
    const sha256 = object("set aside");
    const catalog = new SqliteCatalog(layout.catalog);
    catalog.reserve("unfinished", "k", 1);
    catalog.close();
    setAside(layout, layout.objectPath(sha256), sha256, "objects");
    expect(await rebuild()).toMatchObject({ broughtBack: 1, unknown: 1, setAside: undefined });
    expect(
      rows()
        .map((row) => row.streamId)
        .toSorted(),
    ).toEqual([sha256, "unfinished"].toSorted());
    expect(await rebuild()).toMatchObject({ broughtBack: 0, known: 0, unknown: 0 });
  });

  test("replaces a damaged one, which is set aside", async () => {
    object("one");
    journal(stream("a", "one"));
    fs.writeFileSync(layout.catalog, "this is no catalog".repeat(1000));
    const { setAside, known } = await rebuild();
    expect(known).toBe(1);
    expect(fs.readFileSync(setAside!, "utf8")).toStartWith("this is no catalog");
    expect(rows().map((row) => row.streamId)).toEqual(["a"]);
  });

  test("has no damaged objects if every object is read", async () => {
    const sha256 = object("one");
    object("two");
    fs.writeFileSync(layout.objectPath(sha256), "ONE");
    journal(stream("a", "one"), stream("b", "two"));
    expect(await rebuild(true)).toMatchObject({ known: 1, damaged: [sha256] });
    expect(rows().map((row) => row.streamId)).toEqual(["b"]);
  });

  test("leaves a journal that has every stream", async () => {
    const unknown = object("one");
    await rebuild();
    fs.unlinkSync(layout.catalog);
    await rebuild();
    expect(rows().map((row) => row.streamId)).toEqual([unknown]);
    expect(new Journal(layout.journal).isRewriteDue).toBe(false);
  });
});
