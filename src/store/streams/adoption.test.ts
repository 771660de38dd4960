import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { toWavecacheError } from "../../base/errors.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Journal } from "../journal/journal.ts";
import { CacheLayout } from "../layout.ts";
import { adoptObject, streamsOfObject } from "./adoption.ts";
import type { AccountRoom } from "./accounts.ts";
import { commitGroup, type CommitStore } from "./commit.ts";
import { noMetadata } from "./metadata.ts";
import { SqliteCatalog } from "./sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let store: CommitStore;
let catalog: SqliteCatalog;
let journal: Journal;

const text = "some audio";
const sha256 = new Bun.CryptoHasher("sha256").update(text).digest("hex");
const metadata = { ...noMetadata, tags: { name: "mine.wav" } };

beforeEach(async () => {
  folder = temporaryFolder();
  const layout = new CacheLayout(folder.path);
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
  journal = new Journal(layout.journal);
  store = { layout, catalog, journal };
  fs.writeFileSync(layout.incomingPath("key"), text);
  catalog.reserve("first", "key", 1);
  const item = { streamId: "first", key: "key", size: text.length, sha256, format: "audio/wav" };
  await commitGroup(store, [item], 100);
});

afterEach(async () => {
  catalog.close();
  await journal.close();
  folder[Symbol.dispose]();
});

function adopt(streamId: string, digest = sha256, room: AccountRoom | null = null): Promise<string> {
  const call = { streamId, key: `key-${streamId}`, sha256: digest, metadata, room, at: 200 };
  return adoptObject(store, call).then(
    () => "adopted",
    (error: unknown) => toWavecacheError(error).code,
  );
}

function room(maxBytes: number | null): AccountRoom {
  return { id: "token", maxBytes, exceptStreamIds: [] };
}

function found(): string[] {
  return streamsOfObject(store.layout, catalog, { sha256, limit: 10 }).map(({ streamId }) => streamId);
}

describe("an adoption", () => {
  test("makes a finished stream of an object, with metadata of its own", async () => {
    expect(await adopt("second")).toBe("adopted");
    expect(catalog.find("second")).toMatchObject({
      state: "finished",
      size: text.length,
      sha256,
      format: "audio/wav",
      metadata,
      finishedAt: 200,
    });
    expect(found()).toEqual(["first", "second"]);
    expect(catalog.totals()).toMatchObject({ finished: 2, objects: 1, objectBytes: text.length });
  });

  test("is in the journal before it is in the catalog", async () => {
    const before = journal.position;
    await adopt("second");
    const { number } = journal.position;
    const file = fs.readdirSync(store.layout.journal).find((name) => name.includes(String(number)))!;
    const lines = fs.readFileSync(`${store.layout.journal}/${file}`, "utf8").slice(before.bytes);
    expect(lines).toContain('"streamId":"second"');
    expect(lines).toContain(sha256);
  });

  test("needs a free id", async () => {
    expect(await adopt("first")).toBe("STREAM_EXISTS");
    catalog.reserve("reserved", "other", 1);
    expect(await adopt("reserved")).toBe("STREAM_EXISTS");
  });

  test("counts for its token, and needs room there", async () => {
    const size = text.length;
    expect(await adopt("second", sha256, room(size - 1))).toBe("TOKEN_LIMIT_REACHED");
    expect(await adopt("second", sha256, room(size))).toBe("adopted");
    expect(catalog.accounts.storedBytes("token", [])).toBe(size);
    expect(await adopt("third", sha256, room(2 * size - 1))).toBe("TOKEN_LIMIT_REACHED");
    expect(await adopt("third", sha256, room(null))).toBe("adopted");
    expect(catalog.find("third")!.account).toBe("token");
  });

  test("needs an object that is there and whole", async () => {
    expect(await adopt("second", "0".repeat(64))).toBe("OBJECT_UNKNOWN");
    catalog.markDamaged(sha256, true);
    expect([await adopt("second"), found()]).toEqual(["OBJECT_UNKNOWN", []]);
    catalog.markDamaged(sha256, false);
    fs.truncateSync(store.layout.objectPath(sha256), 3);
    expect([await adopt("second"), found()]).toEqual(["OBJECT_UNKNOWN", []]);
    fs.unlinkSync(store.layout.objectPath(sha256));
    expect([await adopt("second"), found()]).toEqual(["OBJECT_UNKNOWN", []]);
  });
});
