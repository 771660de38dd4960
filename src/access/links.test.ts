import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { openLog } from "../base/log/log.ts";
import { failureOf } from "../testing/fixtures/failure-of.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { WavecacheError } from "../base/errors.ts";
import { Links } from "./links.ts";

const log = openLog("test");
let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

const soon = () => Math.floor(Date.now() / 1000) + 60;
const link = () => ({ resource: "streams/ä.1", expires: soon(), issuer: "abc" });

function codeOf(links: Links, text: string): string {
  try {
    links.verify(text);
  } catch (error) {
    if (error instanceof WavecacheError) return error.code;
    throw error;
  }
  return "right";
}

describe("a signed link", () => {
  const key = randomBytes(32);
  const links = new Links([key]);

  test("says what it is for", () => {
    const signed = link();
    expect(links.verify(links.sign(signed))).toEqual(signed);
  });

  test("is wrong with any other character", () => {
    const text = links.sign(link());
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom("A", "7", ".", "_"), (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        // The last character holds two bits that nothing uses.
        fc.pre(changed !== text && at < text.length - 1);
        expect(codeOf(links, changed)).toBe("LINK_WRONG");
      }),
    );
    for (const wrong of ["", "a", `${text}A`, text.slice(1), "....", `${text}\n`])
      expect(codeOf(links, wrong)).toBe("LINK_WRONG");
  });

  test("expires", () => {
    const past = Math.floor(Date.now() / 1000) - 1;
    expect(codeOf(links, links.sign({ ...link(), expires: past }))).toBe("LINK_EXPIRED");
  });

  test("is valid as long as its key is among the keys", () => {
    const text = links.sign(link());
    const other = randomBytes(32);
    expect(codeOf(new Links([other, key]), text)).toBe("right");
    expect(codeOf(new Links([other]), text)).toBe("LINK_WRONG");
    expect(new Links([other, key]).sign(link())).toBe(new Links([other]).sign(link()));
  });
});

describe("the keys of links", () => {
  test("are made once, and only their owner can read them", async () => {
    const path = join(folder.path, "new", "links.key");
    const text = (await Links.open(undefined, path, log)).sign(link());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(codeOf(await Links.open(undefined, path, log), text)).toBe("right");
  });

  test("last for one run if they cannot be stored, and leave no part of a file", async () => {
    const notFolder = join(folder.path, "file");
    writeFileSync(notFolder, "");
    const links = await Links.open(undefined, join(notFolder, "links.key"), log);
    expect(codeOf(links, links.sign(link()))).toBe("right");
    expect(readdirSync(folder.path)).toEqual(["file"]);
  });

  test("are made whole after a start that was killed while it made them", async () => {
    const path = join(folder.path, "links.key");
    writeFileSync(`${path}.tmp`, "par", { mode: 0o644 });
    const links = await Links.open(undefined, path, log);
    expect(codeOf(await Links.open(undefined, path, log), links.sign(link()))).toBe("right");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual(["links.key"]);
  });

  test("that are too short, or whose file is missing, are refused", async () => {
    const path = join(folder.path, "short.key");
    writeFileSync(path, "c2hvcnQ\n");
    expect(await failureOf(Links.open(path, "unused", log))).toBe("CREDENTIALS_UNUSABLE");
    expect(await failureOf(Links.open(`${path}2`, "unused", log))).toBe("CREDENTIALS_UNUSABLE");
  });
});

describe("the key of a catalog that nodes share", () => {
  /** Of the catalog. */
  const keys = new Map<string, string>();
  beforeEach(() => keys.clear());
  const catalog = {
    async call(_call: "sharedKey", { name, candidate }: { name: string; candidate: string }) {
      if (!keys.has(name)) keys.set(name, candidate);
      return keys.get(name)!;
    },
  };

  test("signs and verifies the links of all nodes, and no file is made", async () => {
    const [a, b] = [join(folder.path, "a"), join(folder.path, "b")];
    const text = (await Links.ofCatalog(catalog, a, log)).sign(link());
    expect(codeOf(await Links.ofCatalog(catalog, b, log), text)).toBe("right");
    expect(readdirSync(folder.path)).toEqual([]);
    keys.clear();
    expect(codeOf(await Links.ofCatalog(catalog, b, log), text)).toBe("LINK_WRONG");
  });

  test("is that of the first node, if it had one while it was alone", async () => {
    const path = join(folder.path, "links.key");
    const text = (await Links.open(undefined, path, log)).sign(link());
    expect(codeOf(await Links.ofCatalog(catalog, path, log), text)).toBe("right");
    expect(codeOf(await Links.ofCatalog(catalog, join(folder.path, "none"), log), text)).toBe("right");
  });
});
