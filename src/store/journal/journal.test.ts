import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import * as fs from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import type { FinishedStream } from "../streams/catalog.ts";
import { noMetadata } from "../streams/metadata.ts";
import { finishOf, lineOf, parseLine } from "./entry.ts";
import { Journal } from "./journal.ts";
import { JournalIndex } from "./journal-index.ts";
import { readJournal } from "./reader.ts";

let temporary: ReturnType<typeof temporaryFolder>;
let folder: string;

beforeEach(() => {
  temporary = temporaryFolder();
  folder = join(temporary.path, "journal-v1");
});

afterEach(() => temporary[Symbol.dispose]());

const sha = (character: string) => character.repeat(64);

function stream(streamId: string, sha256 = sha("a"), key = `key-${streamId}`): FinishedStream {
  const metadata = { contentType: "audio/wav", format: undefined, tags: { title: 'Grüße, "x"\n' } };
  return { streamId, key, sha256, size: 5, format: null, metadata, audio: null, createdAt: 1, finishedAt: 2 };
}

const finish = (streamId: string, sha256?: string, key?: string) => finishOf(stream(streamId, sha256, key));
const remove = (streamId: string, key = `key-${streamId}`) => ({ remove: { streamId, key } });
const files = () => fs.readdirSync(folder).toSorted();

async function using<T>(act: (index: JournalIndex) => T): Promise<T> {
  const index = await JournalIndex.load(folder, async () => {});
  try {
    return act(index);
  } finally {
    index.close();
  }
}

const idsOf = (sha256: string) => using((index) => index.streamsOf(sha256).map(({ streamId }) => streamId));

describe("a journal", () => {
  test("creates nothing before the first append, and then keeps its entries", async () => {
    const journal = new Journal(folder);
    journal.append([]);
    await journal.sync();
    expect(fs.existsSync(folder)).toBe(false);
    journal.append([finish("one"), finish("two")]);
    journal.append([finish("three", sha("b"))]);
    await journal.sync();
    await journal.close();
    expect(await using((index) => index.streamsOf(sha("a")))).toEqual([stream("one"), stream("two")]);
    expect(await idsOf(sha("b"))).toEqual(["three"]);
  });

  test("knows what was removed, and not by the name alone", async () => {
    const journal = new Journal(folder);
    journal.append([
      finish("x"),
      finish("y"),
      remove("x"),
      finish("x", sha("b"), "second"),
      remove("x"),
      remove("y"),
    ]);
    expect(await idsOf(sha("a"))).toEqual([]);
    expect(await idsOf(sha("b"))).toEqual(["x"]);
    const isRemoved = await using((index) => [index.isRemoved("y", "key-y"), index.isRemoved("x", "second")]);
    expect(isRemoved).toEqual([true, false]);
  });

  test("continues after a line that a crash has torn", async () => {
    const before = new Journal(folder);
    before.append([finish("one")]);
    await before.close();
    fs.appendFileSync(join(folder, files()[0]!), lineOf(finish("torn")).slice(0, -20));
    const after = new Journal(folder);
    after.append([finish("two")]);
    expect(await idsOf(sha("a"))).toEqual(["one", "two"]);
  });

  test("is readable whatever a crash leaves of its last append", async () => {
    const lines = [finish("one"), finish("two"), remove("one")].map(lineOf).join("");
    await fc.assert(
      fc.asyncProperty(fc.nat(lines.length), fc.string(), async (length, garbage) => {
        fs.mkdirSync(folder, { recursive: true });
        fs.writeFileSync(join(folder, "000001.jsonl"), `${lines.slice(0, length)}${garbage}`);
        const ids = await idsOf(sha("a"));
        expect(["", "one", "one,two", "two"]).toContain(ids.join(","));
      }),
      { numRuns: 50 },
    );
  });

  test("takes nothing from its lines that could not be a stream", () => {
    const { finish } = finishOf(stream("x")) as { finish: FinishedStream };
    const wrong = [
      { ...finish, streamId: "../x" },
      { ...finish, sha256: `../${sha("a").slice(3)}` },
      { ...finish, key: "../../etc/passwd" },
      { ...finish, size: -1 },
      { ...finish, metadata: { tags: { a: 1 } } },
    ];
    for (const each of wrong) expect(parseLine(JSON.stringify({ finish: each }))).toBeUndefined();
    expect(parseLine(lineOf(finishOf({ ...finish, metadata: noMetadata })))).toBeDefined();
    expect(parseLine('{"journal":1,"isWhole":true}')).toBeUndefined();
  });

  test("can be read from a position on", async () => {
    const journal = new Journal(folder);
    journal.append([finish("one")]);
    const { position } = journal;
    journal.append([finish("two"), finish("three")]);
    const read = async (after?: typeof position) =>
      (await Array.fromAsync(readJournal(folder, after))).flat();
    expect((await read(position)).map((line) => line.slice(0, 27))).toEqual([
      '{"finish":{"streamId":"two"',
      '{"finish":{"streamId":"thre',
    ]);
    expect(await read(journal.position)).toEqual([]);
    // The file of the position was replaced: everything may be new.
    expect(await read({ number: 77, bytes: 5 })).toHaveLength(4);
    await journal.close();
    expect(new Journal(folder).position).toEqual(journal.position);
  });

  test("is due to be written anew until it is whole, and when it has grown a lot since", async () => {
    const journal = new Journal(folder);
    expect(journal.isRewriteDue).toBe(true);
    await journal.rewrite([[stream("one")], [stream("two")]]);
    expect(journal.isRewriteDue).toBe(false);
    const many = Array.from({ length: 1000 }, (_, index) => finish(`s${index}`, sha("b")));
    for (let round = 0; round < 80; round++) journal.append(many);
    expect(journal.isRewriteDue).toBe(true);
    await journal.rewrite([[stream("one")], [stream("two")]]);
    expect(journal.isRewriteDue).toBe(false);
    expect(files()).toHaveLength(2);
    expect(await idsOf(sha("a"))).toEqual(["one", "two"]);
  });

  test("loses nothing that is appended while it is written anew, nor the last entries before", async () => {
    const journal = new Journal(folder);
    journal.append([finish("old")]);
    // A commit is between its entry in the journal and its row in the catalog.
    journal.append([finish("in-flight")]);
    await journal.rewrite(
      (async function* () {
        yield [stream("kept"), stream("removed-meanwhile")];
        journal.append([remove("removed-meanwhile"), finish("new")]);
        yield [stream("kept-too")];
      })(),
    );
    journal.append([finish("later")]);
    await journal.sync();
    expect(await idsOf(sha("a"))).toEqual(["in-flight", "kept", "kept-too", "later", "new"]);
  });

  test("that is cut off while it is written anew is as it was", async () => {
    const journal = new Journal(folder);
    journal.append([finish("one")]);
    const cutOff = journal.rewrite(
      (async function* () {
        yield [stream("two")];
        throw new Error("cut off");
      })(),
    );
    expect(cutOff).rejects.toThrow("cut off");
    await cutOff.catch(() => {});
    journal.append([finish("three")]);
    expect(await idsOf(sha("a"))).toEqual(["one", "three"]);
    expect(files().filter((name) => name.endsWith(".tmp"))).toEqual([]);
    fs.writeFileSync(join(folder, "000099.jsonl.tmp"), "of a crash");
    await new Journal(folder).rewrite([[stream("four")]]);
    expect(await idsOf(sha("a"))).toEqual(["four"]);
    expect(files().filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
