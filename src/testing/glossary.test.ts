/**
 * The project's vocabulary: one term for one thing, and that of the field. A word on the left of the table is a private
 * name that once stood for the term on the right. It must not come back in code, comments, logs, help or docs.
 */
import { Glob } from "bun";
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";

interface Rule {
  word: RegExp;
  instead: string;
  /** Only in these files: elsewhere the word has its usual meaning. */
  files?: RegExp;
}

const connections =
  /^src\/(?:client\/(?:legacy|songs|transport|v1|limits)|gateways\/(?:audio-cache|songs-|v1)|lane|listen|pool)|^docs\/(?:protocol|reliable-udp)\.md/;

const rules: Rule[] = [
  { word: /doors?(?!bell)/i, instead: "gateway (a protocol) or listener (a port)" },
  { word: /crews?/i, instead: "thread pool" },
  { word: /lasting ?threads?/i, instead: "supervised thread" },
  { word: /outlets?/i, instead: "send scheduler or sender" },
  { word: /inflows?/i, instead: "receive queue" },
  { word: /\bsuppl(?:y|ies)\b|Supply/, instead: "replay buffer" },
  { word: /\btwins?\b|Twin/, instead: "environment variable" },
  { word: /\bbells?\b/i, instead: "doorbell" },
  {
    word: /\bg(?:ive|ives|ave|iven|iving) (?:\w+ ){0,2}back\b|giveBack/i,
    instead: "detach, release or return",
  },
  { word: /\bquestions?\b/i, instead: "queries", files: /^(?:src|workers|bench)\// },
  { word: /complaints?/i, instead: "rate-limited log" },
  { word: /strangers?/i, instead: "unknown objects or orphans" },
  { word: /signs? of life/i, instead: "keepalive" },
  { word: /\bsilence\b|silenceMs/i, instead: "keepalive or idle timeout", files: connections },
  { word: /status ?lines?/i, instead: "status exchange", files: /device/ },
  { word: /\blet(?:s|ting)? (?:\w+ ){0,2}go\b|letGo/i, instead: "release or close" },
  { word: /\b(?:is|are|was|were) told\b/i, instead: "an active verb: acknowledges, reports" },
  { word: /\b(?:most|least)[A-Z]\w*/, instead: "max or min" },
];

/** The label `door` of the metrics, a public name: as a key or text of it, and in exposition format. */
const metricLabel = /\{ door: |"door"|`door`|\bdoor="|\| door(?:, code)? +\|/g;

const root = join(import.meta.dir, "../..");

function writtenFiles(): string[] {
  const inFolders = new Glob("{src,workers,bench,docs}/**/*.{ts,tsx,css,mjs,md}").scanSync({ cwd: root });
  const files = [...inFolders, ...new Glob("*.{ts,mjs,md}").scanSync({ cwd: root })];
  const self = relative(root, import.meta.path);
  return files.filter((path) => path !== self).map((path) => path.replaceAll("\\", "/"));
}

/** One line for each use: where it is, and the term to use instead. */
function usesIn(path: string, text: string): string[] {
  const here = rules.filter(({ files }) => files === undefined || files.test(path));
  return text.split("\n").flatMap((line, index) => {
    const prose = line.replace(metricLabel, "");
    return here.flatMap(({ word, instead }) => {
      const use = word.exec(prose)?.[0];
      return use === undefined ? [] : [`${path}:${index + 1}: "${use}", say: ${instead}`];
    });
  });
}

describe("the vocabulary", () => {
  test("has no private name where the field has a term", () => {
    const files = writtenFiles();
    expect(files.length).toBeGreaterThan(400);
    expect(files.flatMap((path) => usesIn(path, readFileSync(join(root, path), "utf8")))).toEqual([]);
  });

  test.each([
    ["the Door of a protocol", "src/a.ts"],
    ["outdoors", "src/a.ts"],
    ["const threadCrew = 1", "src/a.ts"],
    ["it gives the memory back", "docs/a.md"],
    ["audio.giveBack()", "src/a.ts"],
    ["it has let the file go", "src/a.ts"],
    ["10 s of silence", "docs/reliable-udp.md"],
    ["const statusLine = 1", "src/engine/devices/a.ts"],
    ["mostStreams", "src/a.ts"],
  ])("finds %p in %s", (line, path) => {
    expect(usesIn(path, `first\n${line}`)).toEqual([expect.stringContaining(`${path}:2: "`)]);
  });

  test.each([
    ["a doorbell wakes the worker", "src/a.ts"],
    ['wavecache_connections{door="v1"} 1', "docs/a.md"],
    ["{ door: meter.gateway }", "src/a.ts"],
    ["record silence for lost frames", "src/a.ts"],
    ["const defaultWindow = 1", "src/a.ts"],
    ["a status line each second", "src/cli/ingest/a.ts"],
  ])("accepts %p in %s", (line, path) => {
    expect(usesIn(path, line)).toEqual([]);
  });
});
