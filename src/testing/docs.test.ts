/** What the documents say of the project, held against the project itself. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { withOptionTables } from "../config/print/markdown.ts";
import { keyOf, namesIn, optionNames, tableNames } from "../config/schema.ts";
import { errorCodes, errorRow } from "../base/errors.ts";
import { anchors, codeBlocks, documents, links, projectFolder, readDocument } from "./harness/documents.ts";
import { decodeLiveAudio } from "../wire/live.ts";
import { runServerToExit } from "./harness/server.ts";

/** Why a link leads nowhere; undefined if it leads somewhere, or out of the project. */
function brokenLink(from: string, target: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [path = "", anchor] = target.split("#");
  const to = path === "" ? from : join(dirname(from), decodeURIComponent(path));
  if (!existsSync(join(projectFolder, to))) return `${target}: no file ${to}`;
  if (anchor === undefined || anchors(readDocument(to)).has(anchor)) return undefined;
  return `${target}: no heading of ${to} has this anchor`;
}

describe("links", () => {
  test("lead to files and headings that exist", () => {
    const all = documents().flatMap((from) =>
      links(readDocument(from)).map(({ line, target }) => ({ from, line, target })),
    );
    const broken = all.flatMap(({ from, line, target }) => {
      const reason = brokenLink(from, target);
      return reason === undefined ? [] : [`${from}:${line}: ${reason}`];
    });
    expect(broken).toEqual([]);
    expect(all.length).toBeGreaterThan(50);
  });

  test("that lead nowhere are found", () => {
    expect(brokenLink("docs/http.md", "none.md")).toContain("no file docs/none.md");
    expect(brokenLink("docs/http.md", "#none")).toContain("no heading of docs/http.md");
    expect(brokenLink("README.md", "docs/http.md#none")).toContain("no heading of docs/http.md");
    expect(brokenLink("docs/http.md", "../README.md#recipes")).toBeUndefined();
    expect(brokenLink("docs/http.md", "https://example.org/none")).toBeUndefined();
    const page = "[a](b.md) `[c](d.md)`\n\n```sh\n[e](f.md)\n```\n\n[g]: h.md\n";
    expect(links(page)).toEqual([
      { line: 1, target: "b.md" },
      { line: 7, target: "h.md" },
    ]);
    expect(anchors("# A `b` C!\n\n## A b c\n\n```sh\n# no heading\n```\n")).toEqual(
      new Set(["a-b-c", "a-b-c-1"]),
    );
  });

  test("lead from the README to every page of docs/", () => {
    const linked = new Set(links(readDocument("README.md")).map(({ target }) => target));
    const pages = documents().filter((path) => path.startsWith("docs/"));
    expect(pages.length).toBeGreaterThan(10);
    expect(pages.filter((page) => !linked.has(page))).toEqual([]);
  });
});

test("the README stays short enough to be read", () => {
  expect(readDocument("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});

test("the ingest clients in the docs are the files that are tested", () => {
  const shown = codeBlocks(readDocument("docs/ingest.md")).map((block) => block.text);
  for (const name of ["ingest.py", "ingest.c"]) {
    expect(shown).toContain(readFileSync(join(projectFolder, "docs/examples", name), "utf8"));
  }
});

test("the hex example of the ingest protocol is what its table says", () => {
  const bytes = codeBlocks(readDocument("docs/ingest.md"))
    .filter(({ language }) => language === "hex")
    .map(({ text }) => Buffer.from(text.replace(/ {2}[^\n]*|\s/g, ""), "hex"));
  expect(bytes.map((message) => message.length)).toEqual([32, 20]);
  const [handshake, frame] = bytes as [Buffer, Buffer];
  expect(handshake.readUInt32LE(0)).toBe(0x41445043);
  expect(handshake.readUInt32LE(12)).toBe(16_000);
  expect(frame.readUInt32LE(0)).toBe(0x464d4350);
  expect(frame.readUInt32LE(4)).toBe(frame.length - 12);
});

test("the hex example of live audio is what its table says", () => {
  const [message] = codeBlocks(readDocument("docs/live.md"))
    .filter(({ language }) => language === "hex")
    .map(({ text }) => Buffer.from(text.replace(/ {2}[^\n]*|\s/g, ""), "hex"));
  expect(decodeLiveAudio(message!)).toEqual({
    sampleRate: 16_000,
    channels: 2,
    skipped: 320,
    timeMs: Date.UTC(2025, 0, 31, 9, 5) + 0.5,
    pcm: new Uint8Array(Int16Array.of(1, -1).buffer),
  });
});

test("docs/configuration.md has every option as the schema has it; `bun run docs` writes it", () => {
  const document = readDocument("docs/configuration.md");
  expect(document).toBe(withOptionTables(document));
  const rows = Array.from(document.matchAll(/^\| `--([a-z-]+)` +\|/gm), ([, flag]) => flag);
  expect(rows.toSorted()).toEqual(tableNames.flatMap((table) => namesIn(table).map(keyOf)).toSorted());
});

test("the help has every flag with its default", async () => {
  const { stdout } = await runServerToExit(["--help"]);
  const flags = Array.from(stdout.matchAll(/^ +--([a-z-]+).*\(default: .*?\) *$/gm), ([, flag]) => flag);
  expect(flags.toSorted()).toEqual(optionNames.map(keyOf).toSorted());
});

test("docs/http.md has every error with its status and message", () => {
  const rows = Array.from(
    readDocument("docs/http.md").matchAll(/^\| `([A-Z_]+)` +\| +(\d{3}) +\| +(.*?) +\|$/gm),
    ([, code, status, message]) => `${code} ${status} ${message}`,
  );
  const expected = errorCodes.map((code) => `${code} ${errorRow(code).http} ${errorRow(code).reason}`);
  expect(rows.toSorted()).toEqual(expected.toSorted());
});

function readPackage(folder: string): { license?: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(join(projectFolder, folder, "package.json"), "utf8"));
}

/** Every package that is installed for production, with the license that it declares. */
function shippedPackages(): Map<string, string> {
  const shipped = new Map<string, string>();
  const open = Object.keys(readPackage("").dependencies ?? {});
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (shipped.has(name)) continue;
    const { license = "none", dependencies = {} } = readPackage(`node_modules/${name}`);
    shipped.set(name, license);
    open.push(...Object.keys(dependencies));
  }
  return shipped;
}

test("NOTICE.md has every package that is shipped under its license", () => {
  const section = readDocument("NOTICE.md").split("\n## Packages\n")[1] ?? "";
  const listed = new Map<string, string>();
  for (const [, license, names] of section.matchAll(/^\*\*([\w.-]+):\*\* ((?:[^\n]|\n(?!\n))*)/gm)) {
    for (const [, name] of names!.matchAll(/`([^`]+)`/g)) listed.set(name!, license!);
  }
  const shipped = shippedPackages();
  expect(shipped.size).toBeGreaterThan(50);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(shipped));
});
