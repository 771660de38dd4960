import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { WavecacheError } from "../base/errors.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { CommitQueue } from "./commit-queue.ts";
import { Journal } from "./journal/journal.ts";
import type { FinishRequest } from "./keeper-call-kinds.ts";
import type { Answer } from "./keeper-calls.ts";
import { CacheLayout } from "./layout.ts";
import type { StoreGuard } from "./store-guard.ts";
import { SqliteCatalog } from "./streams/sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;
let journal: Journal;
let answers: Answer[];
let queue: CommitQueue;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
  catalog = new SqliteCatalog(layout.catalog);
  journal = new Journal(layout.journal);
  answers = [];
  const host = {
    guard: {} as StoreGuard,
    replyAll: (_: unknown, all: Answer[]) => void answers.push(...all),
    journalFailed: () => {},
  };
  queue = new CommitQueue({ layout, catalog, journal }, host);
});

afterEach(async () => {
  catalog.close();
  await journal.close();
  folder[Symbol.dispose]();
});

/** The end of an upload whose row is found as `later` says once it is finished. */
async function finishThen(later: () => undefined): Promise<void> {
  catalog.reserve("x", "k", 1);
  writeFileSync(layout.incomingPath("k"), "audio");
  const find = catalog.find.bind(catalog);
  let isCommitted = false;
  using _find = spyOn(catalog, "find").mockImplementation((id) => (isCommitted ? later() : find(id)));
  const transaction = catalog.transaction.bind(catalog);
  using _transaction = spyOn(catalog, "transaction").mockImplementation((change, durable) => {
    const result = transaction(change, durable);
    isCommitted = find("x")?.state === "finished";
    return result;
  });
  const args = { streamId: "x", key: "k", size: 5, sha256: "a".repeat(64), format: null, at: 2 };
  queue.add([{ serial: 1, call: "finish", args } as FinishRequest]);
  await queue.idle();
}

test("a catalog that is lost right after a commit fails its call, and ends nothing else", async () => {
  await finishThen(() => {
    throw new WavecacheError("CATALOG_UNAVAILABLE");
  });
  expect(answers).toMatchObject([{ error: { code: "CATALOG_UNAVAILABLE" } }]);
  expect(catalog.find("x")).toMatchObject({ state: "finished" });
});

test("a stream that another node removes right after its commit is unknown", async () => {
  await finishThen(() => undefined);
  expect(answers).toMatchObject([{ error: { code: "STREAM_UNKNOWN" } }]);
});
