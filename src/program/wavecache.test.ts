/** The installed program, as a process that is started by its name. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { programCommands } from "./commands.ts";

const folder = temporaryFolder();
const program = join(folder.path, "wavecache");
beforeAll(() => symlinkSync(join(import.meta.dir, "wavecache.ts"), program));
afterAll(() => folder[Symbol.dispose]());

async function run(...args: string[]) {
  const child = Bun.spawn([program, ...args], { cwd: folder.path, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

describe("wavecache", () => {
  test("lists its commands without arguments, and with --help", async () => {
    const bare = await run();
    expect(bare).toMatchObject({ err: "", code: 0 });
    for (const name of programCommands.keys()) expect(bare.out).toMatch(new RegExp(`^  ${name} +[A-Z]`, "m"));
    expect(await run("--help")).toEqual(bare);
  });

  test("prints version, commit and the version of Bun for itself and for each command", async () => {
    const { out, code } = await run("--version");
    expect(code).toBe(0);
    expect(out).toBe(`wavecache ${version} (commit ${/commit (\w+)/.exec(out)?.[1]}, Bun ${Bun.version})\n`);
    expect(out).toMatch(/commit ([0-9a-f]{10}|unknown),/);
    for (const name of ["server", "client", "token", "doctor"])
      expect(await run(name, "--version")).toEqual({ out, err: "", code: 0 });
  });

  test("names the command that was meant, and exits with 2", async () => {
    expect(await run("sever")).toEqual({
      out: "",
      err: 'wavecache: unknown command "sever"; did you mean "server"?\n',
      code: 2,
    });
    expect((await run("frobnicate")).err).toContain("see wavecache --help");
  });

  test("passes arguments to the server, the client and the commands on the store", async () => {
    expect((await run("server", "--help")).out).toContain("--cache-dir <");
    expect((await run("client", "rm", "--help")).out).toContain("$ wavecache client rm [...ids]");
    expect((await run("config", "example")).out).toContain("cache-dir");
    expect((await run("doctor", "--cache-dir", "none")).err).toContain("none holds no store");
    expect((await run("client", "info")).code).toBe(2);
  });

  test("names itself in the hints, and not the scripts of the source", async () => {
    const { err, code } = await run("server", "--host", "0.0.0.0", "--port", "0", "--grpc-port", "off");
    expect(code).not.toBe(0);
    expect(err).toContain("`wavecache server token create");
    expect((await run("client", "--help")).out).not.toContain("bun run");
  });
});
