import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanups, mockServers, noise } from "../testing/fixtures/client.ts";
import { sha256 } from "../testing/harness/bytes.ts";
import { until } from "../testing/harness/until.ts";
import { deadAddress } from "../testing/mocks/servers.ts";

const program = join(import.meta.dir, "main.ts");
const cleanup = cleanups();
const mock = mockServers();
const bytes = noise(300_000);
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wavecache-cli-"));
  writeFileSync(join(folder, "in.mp3"), bytes);
});

afterAll(() => rmSync(folder, { recursive: true }));

function start(...args: string[]) {
  return Bun.spawn([process.execPath, "run", program, ...args], {
    cwd: folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function run(...args: string[]) {
  const child = start(...args);
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

/** A server with only the HTTP API, where every request gets this response. */
function api(answer: (method: string) => Response): string {
  const fetch = (request: Request) => answer(request.method);
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  cleanup(() => server.stop(true));
  return `ws://127.0.0.1:${server.port}/audio`;
}

function stream(streamId: string) {
  const sha256 = "0123456789abcdef".repeat(4);
  const createdAt = "2025-01-31T09:05:00.123Z";
  return { streamId, state: "finished", size: 5000, sha256, format: null, createdAt, finishedAt: createdAt };
}

describe("a round trip", () => {
  test("brings the file back identical, prints a report and exits with 0", async () => {
    const server = mock({ confirms: true });
    const { out, err, code } = await run(
      "--input",
      "in.mp3",
      "-s",
      server.url,
      "-o",
      "back.mp3",
      "--checksum=md5",
    );
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(readFileSync(join(folder, "back.mp3")).equals(bytes)).toBe(true);
    expect(out).toMatch(
      /^Upload +292\.97 KiB in [^,]+, [0-9.]+ Mbps \(target 100: (met|missed|too short to tell)\)$/m,
    );
    expect(out).toMatch(
      /^Download +292\.97 KiB in [^,]+, [0-9.]+ Mbps \(target 200: (met|missed|too short to tell)\)$/m,
    );
    expect(out).toMatch(/^Total +[0-9.]+ m?s$/m);
    expect(out).toContain(`SHA-256   ${sha256(bytes)}\n`);
    expect(out).toContain(`MD5       ${new Bun.CryptoHasher("md5").update(bytes).digest("hex")}\n`);
    expect(out).toMatch(/^Result +identical$/m);
  });

  test("takes positional arguments, a default output name, and numbers as names", async () => {
    const server = mock();
    writeFileSync(join(folder, "007"), bytes);
    expect((await run(server.url, "007", "1e3")).code).toBe(0);
    expect(readFileSync(join(folder, "1e3")).equals(bytes)).toBe(true);
    expect((await run(server.url, "007")).code).toBe(0);
    const [made] = readdirSync(join(folder, "audio", "output"));
    expect(made).toMatch(/^output-\d{8}-\d{6}-\d{3}-007$/);
  });

  test("of an empty file succeeds", async () => {
    writeFileSync(join(folder, "empty"), "");
    const server = mock({ refusesEmpty: true });
    expect((await run("-i", "empty", "-o", "empty-back", "-s", server.url)).code).toBe(0);
    expect(readFileSync(join(folder, "empty-back")).length).toBe(0);
  });

  test("logs its steps on stderr with --verbose", async () => {
    const server = mock({ resumable: true, cutAfterBytes: [100_000] });
    const { err, code } = await run("-v", "-i", "in.mp3", "-o", "verbose.mp3", "-s", server.url);
    expect(code).toBe(0);
    expect(err).toMatch(/^connecting to ws:.*\nstarted stream-.* \(the server can resume it\)\n/);
    expect(err).toMatch(/^connection lost; trying again in .* \(1 of 10\)$/m);
    expect(err).toContain("at byte 100000");
  });

  test("that changes the bytes fails, prints both digests and writes no file", async () => {
    // A server that sends data as text damages bytes that are not valid UTF-8.
    const server = mock({ textData: true });
    const { out, err, code } = await run("-i", "in.mp3", "-o", "changed/back.mp3", "-s", server.url);
    expect(code).toBe(1);
    expect(out).toMatch(/^Result +DIFFERENT$/m);
    expect(err).toMatch(/^error: verification failed: the file came back changed \(.*\)\n$/);
    expect(readdirSync(join(folder, "changed"))).toEqual([]);
  });
});

describe("an error is one line with a hint, and the exit code is not 0", () => {
  const cases: [title: string, args: () => string[], line: RegExp, code: number][] = [
    [
      "no server",
      () => ["-i", "in.mp3", "-s", deadAddress(), "--retries", "0"],
      /cannot reach the server: ws:.* \(is it/,
      1,
    ],
    ["no such file", () => ["-i", "none.mp3"], /no such file or folder: none\.mp3 \(/, 1],
    ["a folder", () => ["-i", "."], /is a folder: \. \(/, 1],
    ["an empty path", () => ["-i", ""], /the input path is empty \(/, 2],
    [
      "the same file twice",
      () => ["-i", "in.mp3", "-o", "./in.mp3"],
      /input and output are the same file/,
      2,
    ],
    [
      "refused",
      () => ["-i", "in.mp3", "-s", mock({ refusal: "cache is full" }).url],
      /server refused: cache is full \(/,
      1,
    ],
    [
      "a wrong path",
      () => ["-i", "in.mp3", "-s", mock({ upgradeStatus: 404 }).url],
      /HTTP status 404 .* \(is the path/,
      1,
    ],
    [
      "a wrong digest",
      () => ["-i", "in.mp3", "-s", mock({ confirms: true, wrongSha256: "00" }).url],
      /verification failed: .* \(/,
      1,
    ],
    ["no input", () => [], /no input file \(/, 2],
    ["an unknown command", () => ["frobnicate"], /unknown command "frobnicate" \(see --help/, 2],
    ["an unknown option", () => ["list", "--frob"], /unknown option "--frob" \(see --help\)/, 2],
    ["a bad number", () => ["-i", "in.mp3", "--chunk", "8k"], /--chunk is not a whole number .*"8k" \(/, 2],
    [
      "a bad choice",
      () => ["-i", "in.mp3", "--checksum", "crc"],
      /--checksum is "crc" \(use sha256 or md5\)/,
      2,
    ],
    ["no address", () => ["-i", "in.mp3", "-s", "ftp://x"], /--server is no address: "ftp:\/\/x" \(/, 2],
    [
      "no stream list",
      () => ["list", "-s", mock().url],
      /the server has no stream list: HTTP status 426 \(/,
      1,
    ],
  ];
  for (const [title, args, line, exitCode] of cases) {
    test(title, async () => {
      const { out, err, code } = await run(...args());
      expect(code).toBe(exitCode);
      expect(out).toBe("");
      expect(err).toMatch(/^error: [^\n]*\n$/);
      expect(err).toMatch(line);
    });
  }

  test("a server's control characters do not reach the terminal", async () => {
    const { err } = await run(
      "upload",
      "in.mp3",
      "-s",
      mock({ refusal: "\u001b]0;gone\u0007\nfake line" }).url,
    );
    expect(err).toBe(
      "error: the server refused: \\x1b]0;gone\\x07\\x0afake line (the server's message says why)\n",
    );
  });
});

test("retry notices escape a server's control characters too", async () => {
  const server = mock({ refusal: "server is shutting down\u001b[2J" });
  const { err } = await run("upload", "in.mp3", "-s", server.url, "--retries", "1");
  expect(err).toContain("server is shutting down\\x1b[2J; trying again in ");
  expect(err).not.toContain("\u001b");
});

describe("upload and download", () => {
  test("upload prints the id, also as JSON, and download works without a stream list", async () => {
    const server = mock({ confirms: true });
    const up = await run("upload", "in.mp3", "-s", server.url, "--id", "0042", "--json");
    expect(JSON.parse(up.out)).toMatchObject({ streamId: "0042", size: 300_000, verified: true });
    const down = await run("download", "0042", "-s", server.url, "-o", "down.mp3");
    expect({ err: down.err, code: down.code }).toEqual({ err: "", code: 0 });
    expect(readFileSync(join(folder, "down.mp3")).equals(bytes)).toBe(true);
  });

  test("upload fails if the server does not acknowledge the end", async () => {
    const server = mock({ silentTo: { type: "STOP", times: 1 } });
    const { err, code } = await run("upload", "in.mp3", "-s", server.url, "--timeout", "1");
    expect(code).toBe(1);
    expect(err).toMatch(/^error: the server did not acknowledge the end of stream-\d+-[0-9a-f]+ \(.*\)\n$/);
  });

  test("upload with --id fails if the connection is lost and the server cannot resume", async () => {
    const server = mock({ cutsAt: { type: "STOP", times: 99 } });
    const { err, code } = await run("upload", "in.mp3", "-s", server.url, "--id", "mine");
    expect(code).toBe(1);
    expect(err).toContain("cannot resume this stream: mine");
  });

  test("upload resumes an unfinished stream", async () => {
    const server = mock({ resumable: true, compares: true, confirms: true });
    server.streams.set("half", { chunks: [Buffer.from(bytes.subarray(0, 290_000))], finished: false });
    expect((await run("upload", "in.mp3", "-s", server.url, "--resume", "half")).code).toBe(0);
    expect(server.frameBytes).toEqual([8192, 1808]);
  });
});

describe("list, info and rm", () => {
  test("list prints a table without control characters, and the cursor of the next page", async () => {
    const page = { streams: [stream("007"), stream("evil\u001b[2J\n")], next: null };
    const url = api(() => Response.json(page));
    const { out, code } = await run("list", "-s", url);
    expect(code).toBe(0);
    expect(out.split("\n")).toEqual([
      "ID               STATE         SIZE  FORMAT  CREATED                  SHA-256       NAME",
      "007              finished  4.88 KiB  -       2025-01-31 09:05:00 UTC  0123456789ab  -",
      "evil\\x1b[2J\\x0a  finished  4.88 KiB  -       2025-01-31 09:05:00 UTC  0123456789ab  -",
      "",
    ]);
    const json = await run("list", "-s", url, "--json");
    expect(JSON.parse(json.out)).toEqual(page);
    expect(json.out).not.toContain("\u001b");
    const more = await run(
      "list",
      "--limit",
      "2",
      "-s",
      api(() => Response.json({ ...page, next: "x" })),
    );
    expect(more.err).toBe("there are more: continue with --after x\n");
  });

  test("an empty list prints a line that says so", async () => {
    const { out } = await run(
      "list",
      "-s",
      api(() => Response.json({ streams: [], next: null })),
    );
    expect(out).toBe("no streams\n");
  });

  test("info prints a stream as a table or as JSON", async () => {
    const url = api(() => Response.json(stream("song")));
    expect((await run("info", "song", "-s", url)).out).toMatch(/^Size +4\.88 KiB \(5000 bytes\)$/m);
    expect(JSON.parse((await run("info", "song", "-s", url, "--json")).out)).toEqual(stream("song"));
  });

  test("rm prints what it removed, or fails if there is no such stream", async () => {
    const url = api(() => new Response(null, { status: 204 }));
    expect((await run("rm", "007", "-s", url)).out).toBe("removed 007\n");
    const unknown = { error: { code: "STREAM_UNKNOWN", message: "no such stream", hint: "" } };
    const { err, code } = await run(
      "rm",
      "--server",
      api(() => Response.json(unknown, { status: 404 })),
      "--",
      "-x",
    );
    expect({ err, code }).toEqual({
      err: "error: no such stream: -x (the command list shows which there are)\n",
      code: 1,
    });
  });
});

describe("help", () => {
  test("exists for each command, with defaults and examples", async () => {
    for (const command of [
      [],
      ["upload"],
      ["download"],
      ["follow"],
      ["list"],
      ["info"],
      ["rm"],
      ["listen"],
      ["recordings"],
      ["devices"],
    ]) {
      const { out, code } = await run(...command, "--help");
      expect(code).toBe(0);
      expect(out).toContain("(default: ws://localhost:8080/audio)");
      expect(out).toContain("Examples:\n  $ bun run client");
    }
  });

  test("lists all commands, and --version prints the version", async () => {
    const { out } = await run("-h");
    for (const command of [
      "upload",
      "download",
      "follow",
      "list",
      "info",
      "rm",
      "stream",
      "listen",
      "recordings",
      "devices",
      "server",
    ]) {
      expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
    }
    expect((await run("--version")).out).toMatch(
      /^wavecache \d+\.\d+\.\d+ \(commit ([0-9a-f]{10}|unknown), Bun \d+\.\d+\.\d+\)\n$/,
    );
  });
});

test("server passes its flags to the server, also --help", async () => {
  const help = await run("server", "--help");
  expect(help.code).toBe(0);
  expect(help.out).toContain("--cache-dir");
  const { err, code } = await run("server", "--port", "frob");
  expect(code).not.toBe(0);
  expect(err).toContain("frob");
});

describe("a signal", () => {
  test("ends a download with the signal's exit code and leaves no partial file", async () => {
    for (const [signal, exitCode] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const server = mock({ silentTo: { type: "GET", times: 99 } });
      const child = start("-i", "in.mp3", "-s", server.url, "-o", `${signal}/back.mp3`);
      await until("the download begins", 5_000, () => server.texts.some((text) => text.includes("GET")));
      expect(readdirSync(join(folder, signal)).length).toBe(1);
      child.kill(signal);
      expect(await child.exited).toBe(exitCode);
      expect(await child.stderr.text()).toBe("interrupted\n");
      expect(readdirSync(join(folder, signal))).toEqual([]);
    }
  });

  test("ends the wait between retries", async () => {
    const child = start("-i", "in.mp3", "-s", deadAddress(), "-o", "never.mp3");
    const reader = child.stderr.getReader();
    await reader.read();
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  });
});

test("a reader that closes the pipe early is no error", async () => {
  const streams = Array.from({ length: 5_000 }, (_, i) => stream(`stream-${i}`));
  const url = api(() => Response.json({ streams, next: null }));
  const line = `"${process.execPath}" run "${program}" list --limit 100000 -s ${url} | head -1`;
  const child = Bun.spawn(["bash", "-c", `set -o pipefail; ${line}`], { stdout: "pipe", stderr: "pipe" });
  expect(await child.stdout.text()).toStartWith("ID ");
  expect(await child.stderr.text()).toBe("");
  expect(await child.exited).toBe(0);
});

test.skipIf(process.platform !== "linux")(
  "a full disk under standard output is one line on stderr",
  async () => {
    const url = api(() => Response.json({ streams: [stream("a")], next: null }));
    const command = [process.execPath, "run", program, "list", "-s", url];
    const child = Bun.spawn(command, { stdout: Bun.file("/dev/full"), stderr: "pipe" });
    expect(await child.stderr.text()).toBe(
      "error: the disk is full: standard output (free some space or choose another disk)\n",
    );
    expect(await child.exited).toBe(1);
  },
);

test.skipIf(process.platform !== "linux")("notices that cannot be written change no exit code", async () => {
  const command = [process.execPath, "run", program, "list", "--bogus"];
  const child = Bun.spawn(command, { stdout: "ignore", stderr: Bun.file("/dev/full") });
  expect(await child.exited).toBe(2);
});
