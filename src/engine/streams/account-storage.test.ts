import { expect, test } from "bun:test";
import { toWavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import type { KeeperArgs, KeeperCall, KeeperResult } from "../../store/keeper-calls.ts";
import { AccountStorage, type CountedUpload } from "./account-storage.ts";

/** A catalog of the sizes of one account's streams, which answers when the test lets it. */
class FakeKeeper {
  readonly sizes = new Map<string, number>();
  readonly calls: (() => void)[] = [];
  isHeld = false;

  async call<C extends KeeperCall>(_call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    const { exceptStreamIds } = args as KeeperArgs<"storedBytes">;
    let bytes = 0;
    for (const [id, size] of this.sizes) if (!exceptStreamIds.includes(id)) bytes += size;
    if (this.isHeld) await new Promise<void>((resolve) => this.calls.push(resolve));
    return bytes as KeeperResult<C>;
  }
}

class FakeUpload implements CountedUpload {
  receivedBytes = 0;
  readonly #over = Promise.withResolvers<void>();
  readonly over = this.#over.promise;
  readonly streamId: string;

  constructor(streamId: string) {
    this.streamId = streamId;
  }

  end(): void {
    this.#over.resolve();
  }
}

const write = () => {};
const log: Log = { debug: write, info: write, warn: write, error: write };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const account = { id: "a", maxStoredBytes: 100 };

function stage() {
  const keeper = new FakeKeeper();
  const storage = new AccountStorage(keeper, log);
  const begin = (streamId: string) => {
    const upload = new FakeUpload(streamId);
    storage.begin(upload, account);
    return upload;
  };
  const check = (upload: FakeUpload, size?: number) =>
    storage.check(upload, size).then(
      () => "room",
      (error: unknown) => toWavecacheError(error).code,
    );
  return { keeper, storage, begin, check };
}

test("an account without a limit asks the catalog nothing", async () => {
  const { keeper, storage } = stage();
  keeper.isHeld = true;
  const upload = new FakeUpload("x");
  storage.begin(upload, { id: "a", maxStoredBytes: undefined });
  await storage.check(upload, 1_000);
  expect([storage.isLimited(upload), storage.refuseWrite(upload, 1_000)]).toEqual([false, undefined]);
});

test("a declared size needs room, and so does the first byte", async () => {
  const { keeper, begin, check } = stage();
  keeper.sizes.set("old", 60);
  expect(await check(begin("x"), 40)).toBe("room");
  expect(await check(begin("y"), 41)).toBe("TOKEN_LIMIT_REACHED");
  keeper.sizes.set("old", 100);
  expect(await check(begin("z"))).toBe("TOKEN_LIMIT_REACHED");
});

test("audio that fills the room before the catalog has answered is not refused", async () => {
  const { keeper, begin, check } = stage();
  keeper.sizes.set("old", 60);
  const upload = begin("x");
  upload.receivedBytes = 40;
  expect(await check(upload)).toBe("room");
});

test("what uploads receive counts for all of them, and not the rows of the same streams", async () => {
  const { keeper, storage, begin, check } = stage();
  keeper.sizes.set("one", 50);
  const [one, two] = [begin("one"), begin("two")];
  await Promise.all([check(one), check(two)]);
  one.receivedBytes = 70;
  expect(storage.refuseWrite(two, 30)).toBeUndefined();
  expect(storage.refuseWrite(two, 31)?.code).toBe("TOKEN_LIMIT_REACHED");
});

test("an upload that ends while the catalog answers is counted", async () => {
  const { keeper, storage, begin, check } = stage();
  const [one, two] = [begin("one"), begin("two")];
  keeper.isHeld = true;
  const checked = check(two);
  one.receivedBytes = 70;
  keeper.sizes.set("one", 70);
  keeper.isHeld = false;
  one.end();
  await turn();
  for (const answer of keeper.calls.splice(0)) answer();
  expect(await checked).toBe("room");
  expect(storage.refuseWrite(two, 30)).toBeUndefined();
  expect(storage.refuseWrite(two, 31)?.code).toBe("TOKEN_LIMIT_REACHED");
});

test("what an upload does not keep is room for the others again", async () => {
  const { storage, begin, check } = stage();
  const [one, two] = [begin("one"), begin("two")];
  await Promise.all([check(one), check(two)]);
  one.receivedBytes = 100;
  expect(storage.refuseWrite(two, 1)?.code).toBe("TOKEN_LIMIT_REACHED");
  one.end();
  await turn();
  expect(storage.refuseWrite(two, 100)).toBeUndefined();
});

test("an adoption has the room that uploads in progress leave", async () => {
  const { storage, begin, check } = stage();
  const upload = begin("x");
  await check(upload);
  upload.receivedBytes = 70;
  expect(storage.roomOf(account)).toEqual({ id: "a", maxBytes: 30, exceptStreamIds: ["x"] });
  storage.adopted(account, 30);
  expect(storage.refuseWrite(upload, 1)?.code).toBe("TOKEN_LIMIT_REACHED");
  expect(storage.roomOf(undefined)).toBeNull();
  expect(storage.roomOf({ id: "b", maxStoredBytes: undefined })).toMatchObject({ maxBytes: null });
});
