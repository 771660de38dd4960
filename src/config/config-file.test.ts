import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Ajv from "ajv/dist/2020";
import { GiB } from "../base/limits/units.ts";
import { runConfigCommand } from "./command.ts";
import { readConfig, readFolder, readSettings } from "./config.ts";
import { FileError, readFile } from "./file/read-file.ts";
import { exampleFile } from "./print/example.ts";
import { fileJsonSchema } from "./print/json-schema.ts";
import { type Config, ConfigError, namesIn, options, tableNames } from "./schema.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wavecache-config-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(text: string, path = "wavecache.toml"): string {
  const file = join(folder, path);
  writeFileSync(file, text);
  return file;
}

function read(text: string, args: string[] = [], environment: Record<string, string> = {}): Config {
  return readConfig(["--config", write(text), ...args], environment)!;
}

function mistakesIn(text: string): readonly string[] {
  try {
    readFile("wavecache.toml", text);
    return [];
  } catch (error) {
    if (error instanceof FileError) return error.mistakes;
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
}

describe("a configuration file", () => {
  test("overrides defaults, and is overridden by variables and flags", () => {
    const text = "[server]\nport = 1000\nworkers = 3\npath = '/x'\n";
    const config = read(text, ["--path", "/y"], { WAVECACHE_PATH: "/z", WAVECACHE_WORKERS: "4" });
    expect(config).toMatchObject({ port: 1000, workers: 4, path: "/y", host: "127.0.0.1" });
  });

  test("is named by a flag or a variable, or found at a usual place", () => {
    const named = write("[server]\nport = 1\n", "other.toml");
    expect(readConfig([], { WAVECACHE_CONFIG: named })!.port).toBe(1);
    mkdirSync(join(folder, "wavecache"));
    write("[server]\nport = 2\n", "wavecache/wavecache.toml");
    expect(readConfig([], { XDG_CONFIG_HOME: folder })!.port).toBe(2);
    expect(readConfig(["--config", "off"], { XDG_CONFIG_HOME: folder })!.port).toBe(8080);
    expect(() => readConfig(["--config", join(folder, "none.toml")], {})).toThrow(/none\.toml: ENOENT/);
  });

  test("has typed values and arrays where a flag has text", () => {
    const config = read(`
[server]
max-message-bytes = 2097152
max-connections = 100
[tls]
tls = true
[songs]
udp-port = "off"
udp-allow = ["10.0.0.0/8", "::1"]
[cache]
scrub-days = 0.5
[events]
on-event = ["/bin/program", "-x"]
`);
    expect(config).toMatchObject({ maxMessageBytes: 2 ** 21, tls: true, udpPort: "off", scrubDays: 0.5 });
    expect(config.onEvent).toEqual(["/bin/program", "-x"]);
    expect([config.udpAllow.has("10.1.2.3"), config.udpAllow.has("11.1.2.3")]).toEqual([true, false]);
  });

  test("has policies, webhooks, thresholds and sounds as tables", () => {
    const config = read(`
[[retention.policy]]
pattern = "streams/radio-*"
max-bytes = "50GiB"
max-age = "30d"
keep-newest = 10
[[retention.policy]]
pattern = "recordings/*"
mode = "expire"
[[events.hook]]
url = "https://hooks.example/x"
types = ["stream.*", "recording.closed"]
[recordings.silence-for]
kitchen = { dbfs = -40.5, seconds = 5 }
[devices.sounds]
startup = "hello, world.wav"
1 = "a.mp3"
`);
    expect(config.policy).toMatchObject([
      { pattern: "streams/radio-*", mode: "evict", maxBytes: 50 * GiB, maxAgeMs: 30 * 86_400_000 },
      { pattern: "recordings/*", mode: "expire" },
    ]);
    expect(config.policy[0]!.keepAtLeast).toEqual({ newest: 10, lastMs: undefined });
    expect(config.hook).toMatchObject([{ name: "hooks.example", url: "https://hooks.example/x" }]);
    expect(config.hook[0]!.filter.types).toBe("stream.*,recording.closed");
    expect(config.silenceFor).toEqual(new Map([["kitchen", { dbfs: -40.5, silenceMs: 5000 }]]));
    expect(config.sounds).toEqual(
      new Map([
        [0, "hello, world.wav"],
        [1, "a.mp3"],
      ]),
    );
  });

  test("has the folders of the commands on the store, too", () => {
    const file = write('[cache]\ncache-dir = "/srv/cache"\n');
    expect(readFolder("cacheDir", new Map(), { WAVECACHE_CONFIG: file })).toBe("/srv/cache");
    const flags = new Map([["cacheDir", "/tmp/other"] as const]);
    expect(readFolder("cacheDir", flags, { WAVECACHE_CONFIG: file })).toBe("/tmp/other");
  });

  test.each([
    ["[server]\nport = \n", ["3: no TOML: "]],
    ["[server]\nport = 1\nport = 2\n", ["3: no TOML: Defining a key multiple times"]],
    ["\n[server]\nprot = 80\n", ['3: unknown key server.prot; did you mean "port"?']],
    ["[server]\nqqqqqqqq = 80\n", ["2: unknown key server.qqqqqqqq"]],
    ["[sever]\nport = 80\n", ['1: unknown table [sever]; did you mean "server"?']],
    ["server = 1\n", ["1: server is a table: write [server]"]],
    ["port = 80\n", ["1: port belongs in the table [server]"]],
    ["[server]\nrotate-seconds = 3\n", ["2: rotate-seconds belongs in the table [recordings]"]],
    ["[server]\nport = 70_000\n", ["2: server.port 70000: expected a whole number from 0 to 65535"]],
    ["[server]\nport = 1.5\n", ["2: server.port 1.5: expected a whole number from 0 to 65535"]],
    ["[server]\nhost = 5\n", ["2: server.host 5: expected a text that is not empty"]],
    ["[server]\npath = true\n", ["2: server.path true: expected a text"]],
    ["[server]\nport = 2026-01-01\n", ['2: server.port "2026-01-01T00:00:00.000Z": expected a whole number']],
    ["[tls]\ntls = 'maybe'\n", ['2: tls.tls "maybe": expected true or false']],
    ["[cache]\nmax-cache-bytes = '4GB'\n", ['2: cache.max-cache-bytes "4GB": expected a number of bytes']],
    ["[access]\nanonymous = 'fly:x'\n", ['2: access.anonymous "fly:x": expected grants: "fly" is no action']],
    ["[songs]\nudp-allow = ['10.0.0.0/8', 'home']\n", ["2: songs.udp-allow "]],
    ["[[events.hook]]\nname = 'x'\n", ['1: events.hook[0].url: expected the key "url"']],
    [
      "[[events.hook]]\nurl = 'https://x.example'\ntype = 'a'\n",
      ['3: events.hook[0].type: expected one of the keys name, url, types, subjects; did you mean "types"?'],
    ],
    [
      "[[events.hook]]\nurl = 'ftp://x'\n",
      ['2: events.hook[0].url "ftp://x": expected an http or https URL'],
    ],
    [
      "[[events.hook]]\nurl = 'https://a.example'\n[[events.hook]]\nurl = 'https://a.example/2'\n",
      ["1: events.hook: expected webhooks with different names"],
    ],
    [
      "[[retention.policy]]\npattern = 'songs/*'\n",
      ['2: retention.policy[0].pattern "songs/*": expected a pattern'],
    ],
    [
      "[[retention.policy]]\npattern = 'recordings/*'\nmode = 'refuse'\n",
      ["1: retention.policy[0]: expected evict or expire"],
    ],
    ["[[retention.policy]]\npattern = 'streams/*'\nmax-age = 'long'\n", ["3: retention.policy[0].max-age "]],
    [
      "[recordings.silence-for.kitchen]\ndbfs = 3\nseconds = 1\n",
      ["2: recordings.silence-for.kitchen.dbfs 3"],
    ],
    ["[devices.sounds]\n1 = '../x'\n", ['2: devices.sounds.1 "../x": expected the name of a file']],
    ["[server]\nprot = 1\n[cache]\nworkers = 2\n", ["2: unknown key server.prot", "4: workers belongs in"]],
  ])("with a mistake is refused with its line, its key and what is right: %j", (text, starts) => {
    const mistakes = mistakesIn(text);
    expect(mistakes).toHaveLength(starts.length);
    for (const [index, start] of starts.entries())
      expect(mistakes[index]).toStartWith(`wavecache.toml:${start}`);
  });

  test("with several mistakes refuses a start in one line, which names the first", () => {
    expect(() => read("[server]\nprot = 1\nhots = 2\n")).toThrow(
      /^\S+wavecache\.toml:2: unknown key server\.prot; did you mean "port"\? \(and 1 more: see server config check\)$/,
    );
  });
});

describe("policies and hooks as flags", () => {
  test("say the usual part", () => {
    const { policy } = readConfig(["--policy", "streams/a-* evict 1GiB,2d; recordings/* expire 3d"], {})!;
    expect(policy).toEqual([
      { pattern: "streams/a-*", mode: "evict", maxBytes: GiB, maxAgeMs: 2 * 86_400_000 },
      { pattern: "recordings/*", mode: "expire", maxAgeMs: 3 * 86_400_000 },
    ]);
  });

  test.each(["streams/*", "streams/* keep 1GiB", "songs/* evict 1GiB", "recordings/* refuse 1GiB"])(
    "are refused if they are wrong: %s",
    (policy) => expect(() => readConfig(["--policy", policy], {})).toThrow(/^--policy/),
  );
});

describe("server config", () => {
  test("check says everything that is wrong, and ends with 2", () => {
    const file = write("[server]\nprot = 1\nhots = 2\n");
    const { error, exitCode } = runConfigCommand(["config", "check", "--config", file], {});
    expect(exitCode).toBe(2);
    expect(error.trimEnd().split("\n")).toEqual([
      `${file}:2: unknown key server.prot; did you mean "port"?`,
      `${file}:3: unknown key server.hots; did you mean "host"?`,
    ]);
    expect(runConfigCommand(["config", "check", "--config", "off"], {})).toMatchObject({ exitCode: 0 });
  });

  test("show prints a file with the same values, and where each comes from", () => {
    const file = write(
      "[server]\nport = 1000\n[[retention.policy]]\npattern = 'streams/*'\nmax-age = '3d'\n",
    );
    const args = ["--config", file, "--fill-gaps"];
    const environment = { WAVECACHE_UDP_PORT: "off" };
    const { out } = runConfigCommand(["config", "show", ...args], environment);
    expect(out).toMatch(new RegExp(`^port = 1000 +# ${RegExp.escape(file)}:2$`, "m"));
    expect(out).toMatch(/^udp-port = "off" +# WAVECACHE_UDP_PORT$/m);
    expect(out).toMatch(/^fill-gaps = true +# --fill-gaps$/m);
    expect(out).toMatch(/^host = "127.0.0.1" +# default$/m);
    const shown = readConfig(["--config", write(out, "shown.toml")], {})!;
    const { config: _, ...values } = readConfig(args, environment)!;
    expect(JSON.parse(JSON.stringify(shown))).toMatchObject(JSON.parse(JSON.stringify(values)));
  });

  test("show hides what may be secret", () => {
    const file = write("[[events.hook]]\nurl = 'https://me:hush@x.example/hush?key=hush'\n");
    const environment = {
      WAVECACHE_ON_EVENT: '["/bin/program","hush"]',
      WAVECACHE_JWT_JWKS: "https://y.example/hush",
    };
    const { out } = runConfigCommand(["config", "show", "--config", file], environment);
    expect(out).not.toContain("hush");
    expect(out).toContain("https://x.example/...");
    expect(out).toContain("/bin/program");
  });

  test("example has every key with its default, and changes nothing", () => {
    const example = exampleFile();
    expect(readFile("example.toml", example).size).toBe(0);
    const blocks = example.split("\n\n").map((block) => block.replaceAll(/^# /gm, ""));
    const [tables, keys] = [
      blocks.filter((block) => /^\[.*\]\n./.test(block)),
      blocks.filter((block) => !/^\[.*\]\n./.test(block)),
    ];
    expect(tables.map((table) => readFile("tables.toml", table).size)).toEqual([1, 1, 1, 1]);
    const active = keys.map((block) =>
      block.startsWith("[") ? block : block.split("\n").slice(1).join("\n"),
    );
    const found = readFile("example.toml", active.join("\n"));
    const missing = tableNames.flatMap(namesIn).filter((name) => !found.has(name));
    expect(missing).toEqual([]);
    for (const [name, { value }] of found)
      expect(value).toEqual(readSettings(new Map(), {}).all.get(name)!.value);
  });

  test("schema accepts what the server accepts, and refuses what it refuses", () => {
    const validate = new Ajv({ strict: false }).compile(fileJsonSchema());
    const right = {
      server: { port: 80, "allow-host": ["a.example"] },
      events: { hook: [{ url: "https://x.y" }] },
    };
    expect(validate(right)).toBe(true);
    for (const wrong of [
      { server: { prot: 1 } },
      { sever: {} },
      { server: { port: 70_000 } },
      { tls: { tls: 3 } },
      { events: { hook: [{}] } },
    ])
      expect(validate(wrong)).toBe(false);
    expect(JSON.stringify(fileJsonSchema())).toContain(options.port.help);
  });

  test("refuses what it does not know", () => {
    expect(() => runConfigCommand(["config", "chek"], {})).toThrow(/expected one of check, show/);
    expect(runConfigCommand(["config", "--help"], {}).out).toContain("server config <command>");
  });
});
