/** Text from outside must not reach the message of a log line, where nothing marks it as such. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { projectFolder } from "./harness/documents.ts";

/** A call of a log, or of one of its functions, with the beginning of its first argument. */
const call = /(?:\b|#)(?:(?:\w*log|logger|refusals)\??\.(?:debug|info|warn|error)|log)\(\s*(.{1,160})/gis;
/** One fixed text, or one of two. */
const fixed = /^(?:"[^"\\{]*"|[^"`,]*\? "[^"\\{]*" : "[^"\\{]*")\s*[,)]/;

/** Calls that pass a message on, and the addresses of the line that says ready, which are configured. */
const exceptions = [
  "src/base/log/log.ts",
  "src/base/log/rate-limited-log.ts",
  "src/main.ts: `ready ${addresses.join",
];

function looseMessages(file: string, text: string): string[] {
  return [...text.matchAll(call)]
    .map(([, argument]) => argument!.trim())
    .filter((argument) => !fixed.test(argument))
    .map((argument) => `${file}: ${argument.split("\n")[0]}`);
}

test("every message of the log is fixed text, and what varies is in fields", async () => {
  const files = await Array.fromAsync(new Bun.Glob("{src,workers}/**/*.ts").scan(projectFolder));
  const sources = files.filter((file) => !/\.test\.ts$|^src\/(?:testing|cli|client)\//.test(file));
  const all = await Promise.all(
    sources.map(async (file) => looseMessages(file, await Bun.file(join(projectFolder, file)).text())),
  );
  const loose = all.flat().filter((found) => !exceptions.some((exception) => found.startsWith(exception)));
  expect(loose).toEqual([]);
  expect(sources.length).toBeGreaterThan(100);
});

test("a message that is no fixed text is found", () => {
  const found = [
    "log.info(`a ${name}`)",
    'this.#log.warn("a " + name, {})',
    "log.error(\n  message,\n  {},\n)",
    'settings.log.debug("a {name}", { name })',
    "this.#rateLimitedLog.warn(text, {})",
    "log(what, { error })",
  ];
  for (const text of found) expect(looseMessages("x.ts", text).length, text).toBe(1);
  const passed = ['log.info("a", { name })', 'this.#log.warn(\n  isOpen ? "open" : "closed",\n  {})'];
  for (const text of passed) expect(looseMessages("x.ts", text), text).toEqual([]);
});
