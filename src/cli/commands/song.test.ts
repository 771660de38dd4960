import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { runClient, startClient } from "../../testing/harness/client-process.ts";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { makeCertificate } from "../../testing/harness/certificates.ts";
import { until } from "../../testing/harness/until.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";

const waitMs = 10_000;
const root = temporaryFolder();
const ca = join(root.path, "ca.pem");
const players = join(root.path, "players");
const played = join(root.path, "played");

const audio = new Random(1).bytes(3_000_000);
const songs = new Map<string, Uint8Array>([
  ["one/song.mp3", Buffer.concat([Buffer.from("ID3\x04\0\0\0\0\0\0"), audio])],
  ["tiny.bin", Buffer.from("tiny")],
  ["song.wav", Buffer.concat([encodeWavHeader(16_000, 1, 200_000), audio.subarray(0, 200_000)])],
  ["song.ogg", Buffer.concat([Buffer.from("OggS"), audio])],
]);
const open = new Set<TLSSocket>();
const server = createServer();
let address = "";
let cwd = "";
let turn = 0;

/** Sends a song by name; "endless" never ends, "cut" resets the connection, an unknown name gets no data. */
function answer(socket: TLSSocket, name: string): void {
  if (name === "endless") socket.write(songs.get("one/song.mp3")!);
  else if (name === "cut") socket.write("half", () => socket.resetAndDestroy());
  else socket.end(songs.get(name) ?? "");
}

beforeAll(async () => {
  const made = await makeCertificate();
  await Bun.write(ca, made.cert);
  server.setSecureContext(made);
  server.on("secureConnection", (socket) => {
    open.add(socket);
    socket.on("error", () => open.delete(socket)).on("close", () => open.delete(socket));
    socket.once("data", (request: Buffer) => answer(socket, request.toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  for (const socket of open) socket.destroy();
  server.close();
  root[Symbol.dispose]();
});

beforeEach(() => {
  cwd = join(root.path, `turn-${turn++}`);
  mkdirSync(cwd);
});

const run = (...args: string[]) => runClient(["song", ...args, "--tls", address, "--ca", ca], { cwd });

const playing = (args: string[]) => ["song", ...args, "--play", "--tls", address, "--ca", ca];

/** Installs fake players as the only commands on PATH; each runs the script with its arguments in `$*`. */
function withPlayers(names: string[], script: string) {
  const folder = mkdtempSync(players);
  for (const name of names) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  const env = { PATH: folder, TMPDIR: cwd };
  return {
    play: (...all: string[]) => runClient(playing(all), { cwd, env }),
    start: (...all: string[]) => startClient(playing(all), { cwd, env }),
  };
}

describe("song", () => {
  test("writes the song under the last part of its name, and prints its size", async () => {
    const { out, err, code } = await run("one/song.mp3");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const expected = songs.get("one/song.mp3")!;
    expect(sha256(readFileSync(join(cwd, "song.mp3")))).toBe(sha256(expected));
    expect(out).toContain(`2.86 MiB`);
    expect(out).toContain(sha256(expected));
    expect(readdirSync(cwd)).toEqual(["song.mp3"]);
  });

  test("overwrites a file only with --force or --output", async () => {
    writeFileSync(join(cwd, "tiny.bin"), "mine");
    const refused = await run("tiny.bin");
    expect([refused.code, refused.err]).toEqual([
      2,
      expect.stringContaining("there is a file already: tiny.bin"),
    ]);
    expect(readFileSync(join(cwd, "tiny.bin"), "utf8")).toBe("mine");
    expect((await run("tiny.bin", "--force")).code).toBe(0);
    expect(readFileSync(join(cwd, "tiny.bin"), "utf8")).toBe("tiny");
    expect((await run("tiny.bin", "-o", "in/a/folder")).code).toBe(0);
    expect(readFileSync(join(cwd, "in/a/folder"), "utf8")).toBe("tiny");
  });

  test("writes only the song to standard output", async () => {
    const { out, err, code } = await run("tiny.bin", "-o", "-");
    expect([code, out]).toEqual([0, "tiny"]);
    expect(err).toContain("4 B");
  });

  test("leaves no file of a missing or incomplete song", async () => {
    const missing = await run("missing.mp3");
    expect([missing.code, missing.err]).toEqual([
      1,
      expect.stringMatching(/it has no such song.*missing\.mp3 \(.+\)\n$/),
    ]);
    const cut = await run("cut");
    expect([cut.code, cut.err]).toEqual([
      1,
      expect.stringMatching(/^error: connection lost: after \d bytes.*\n$/),
    ]);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("refuses invalid options before it connects", async () => {
    const wrong: [string[], RegExp][] = [
      [["x", "--seek", "5"], /--seek is for --play/],
      [["x", "--play", "--seek", "1:99"], /--seek is no time/],
      [["x", "--tls", "a b"], /--tls is given more than once/],
      [["..", "-o", ""], /output path is empty/],
      [[".."], /no file can be called like the song/],
    ];
    for (const [args, says] of wrong) {
      const { code, err } = await run(...args);
      expect(code, args.join(" ")).toBe(2);
      expect(err).toMatch(says);
    }
    const none = await runClient(["song", "x"], { cwd });
    expect([none.code, none.err]).toEqual([2, expect.stringContaining("no server")]);
  });

  test("prints what is wrong with the output, and does not request the song", async () => {
    writeFileSync(join(cwd, "file"), "");
    const { code, err } = await run("endless", "-o", "file/below");
    expect([code, err]).toEqual([1, expect.stringMatching(/^error: .*file\/below \(.+\)\n$/)]);
  });

  test("prints why a certificate is not trusted", async () => {
    const { code, err } = await runClient(["song", "tiny.bin", "--tls", address], { cwd });
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^error: the server's certificate is not trusted: .+\(give .+--ca FILE.+\)\n$/),
    ]);
  });

  test("ends at once when it is interrupted, and leaves no file", async () => {
    const child = startClient(["song", "endless", "--tls", address, "--ca", ca], { cwd });
    await until("the transfer begins", waitMs, () => readdirSync(cwd).length === 1);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(readdirSync(cwd)).toEqual([]);
    await until("the server sees it", waitMs, () => open.size === 0);
  });
});

describe.skipIf(process.platform === "win32")("song --play", () => {
  test.each(["one/song.mp3", "tiny.bin", "song.wav"])(
    "passes exactly the bytes of %s to the player",
    async (name) => {
      const { play } = withPlayers(["ffplay"], `echo "$*" > args; /bin/cat > "${played}"`);
      const { code, err, out } = await play(name);
      expect([code, err]).toEqual([0, "playing with ffplay\n"]);
      expect(sha256(readFileSync(played))).toBe(sha256(songs.get(name)!));
      expect(out).toContain(`${songs.get(name)!.length} bytes`);
      expect(readFileSync(join(cwd, "args"), "utf8")).toBe("-nodisp -autoexit -loglevel error -i pipe:0\n");
      expect(readdirSync(cwd)).toEqual(["args"]);
    },
  );

  test("passes the start position to the player", async () => {
    const { play } = withPlayers(["mpv"], `echo "$*" > args; /bin/cat > "${played}"`);
    expect((await play("one/song.mp3", "--seek", "1:30")).code).toBe(0);
    expect(readFileSync(join(cwd, "args"), "utf8")).toContain("atrim=start=90");
    expect(sha256(readFileSync(played))).toBe(sha256(songs.get("one/song.mp3")!));
  });

  test("starts playing while the song arrives, and also writes a file", async () => {
    const { start } = withPlayers(
      ["ffplay"],
      `/bin/dd bs=1000 count=1 of="${played}.part" 2> /dev/null; echo > begun; /bin/cat > /dev/null`,
    );
    const child = start("endless", "-o", "kept.mp3");
    await until("the player has audio", waitMs, () => existsSync(join(cwd, "begun")));
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(readdirSync(cwd)).toEqual(["begun"]);
    const whole = withPlayers(["ffplay"], `/bin/cat > "${played}"`);
    expect((await whole.play("tiny.bin", "-o", "kept.bin")).code).toBe(0);
    expect(readFileSync(join(cwd, "kept.bin"), "utf8")).toBe("tiny");
    expect(readFileSync(played, "utf8")).toBe("tiny");
  });

  test("gives a temporary file to a player that cannot read a pipe", async () => {
    const { play } = withPlayers(["paplay"], `/bin/cat "$1" > "${played}"`);
    expect((await play("song.ogg")).code).toBe(0);
    expect(sha256(readFileSync(played))).toBe(sha256(songs.get("song.ogg")!));
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("stops player and transfer at once when it is interrupted, even if the player ignores SIGTERM", async () => {
    const { start } = withPlayers(
      ["ffplay"],
      `trap "" TERM; echo $$ > pid; for turn in 1 2 3 4 5 6 7 8 9; do /bin/sleep 2; done`,
    );
    const child = start("endless");
    await until("the player runs", waitMs, () => existsSync(join(cwd, "pid")));
    const pid = await until("its id", waitMs, () => {
      const id = Number(readFileSync(join(cwd, "pid"), "utf8"));
      return id > 0 && id;
    });
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(() => process.kill(pid, 0)).toThrow();
    await until("the server sees it", waitMs, () => open.size === 0);
  });

  test("prints the error message of a player that fails", async () => {
    const failing = withPlayers(["ffplay"], `echo "no more combinations, audio open failed" >&2; exit 0`);
    for (const name of ["one/song.mp3", "tiny.bin"]) {
      const { code, err } = await failing.play(name);
      expect(code).toBe(1);
      expect(err).toMatch(
        /error: ffplay could not play the song: .*audio open failed \(is there a sound device\?/,
      );
    }
  });

  test("prints that no player is installed, or none for this format", async () => {
    const { play } = withPlayers(["cat"], "");
    const none = await play("song.ogg");
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringMatching(/no player is installed \(install .+\)/),
    ]);
    const other = await withPlayers(["aplay"], "").play("song.ogg");
    expect([other.code, other.err]).toEqual([
      1,
      expect.stringMatching(/no player here can play audio\/ogg \(.+\)/),
    ]);
  });
});
