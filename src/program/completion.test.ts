/** Completions, asked for by the shells themselves. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runIn } from "../testing/harness/installation.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";

const folder = temporaryFolder();
const programs = join(folder.path, "bin");
const environment = { PATH: `${programs}${delimiter}${process.env["PATH"]}` };

beforeAll(() => {
  mkdirSync(programs);
  symlinkSync(join(import.meta.dir, "wavecache.ts"), join(programs, "wavecache"));
  writeFileSync(join(folder.path, "song.mp3"), "");
});
afterAll(() => folder[Symbol.dispose]());

async function run(...command: string[]): Promise<string> {
  const { out, err, code } = await runIn(folder.path, command, environment);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  return out;
}

/** The names that are offered, and whether names of files are. */
async function offered(...words: string[]) {
  const lines = (await run("wavecache", "complete", "--", ...words)).trimEnd().split("\n");
  const last = lines.pop();
  return { names: lines.map((line) => line.split("\t")[0]), isOfFiles: last === ":0" };
}

describe("what may come next", () => {
  test("is a command, a command of a command, or an option of it", async () => {
    expect((await offered("")).names).toEqual(
      expect.arrayContaining(["server", "client", "token", "doctor"]),
    );
    expect(await offered("client", "upl")).toEqual({ names: ["upload"], isOfFiles: false });
    expect(await offered("token", "r")).toEqual({ names: ["revoke"], isOfFiles: false });
    expect(await offered("server", "token", "create", "--gr")).toEqual({
      names: ["--grant"],
      isOfFiles: false,
    });
    expect((await offered("server", "--grpc")).names).toEqual(["--grpc-port", "--grpc-tls"]);
  });

  test("is a name of a file where a command or an option takes one", async () => {
    expect(await offered("client", "upload", "")).toEqual({ names: [], isOfFiles: true });
    expect(await offered("client", "download", "song", "--output", "")).toEqual({
      names: [],
      isOfFiles: true,
    });
  });

  test("of an unknown shell is an error that names the shells there are", async () => {
    const { err, code } = await runIn(folder.path, ["wavecache", "complete", "tcsh"], environment);
    expect({ err, code }).toEqual({
      err: "wavecache: complete: expected one of bash, zsh, fish, powershell\n",
      code: 2,
    });
  });
});

/** Scripts that load the completions of `script`, and print what is offered for `wavecache client upl`. */
const shells = {
  bash: `source ./script
    COMP_WORDS=(wavecache client upl); COMP_CWORD=2; compopt() { :; }
    __wavecache_complete; echo "\${COMPREPLY[@]}"; complete -p wavecache`,
  zsh: `compdef() { :; }; _describe() { print -rl -- "\${completions[@]}"; }
    source ./script
    words=(wavecache client upl); CURRENT=3; _wavecache`,
  fish: `source ./script; complete --do-complete "wavecache client upl"; complete --do-complete "wavecache client upload so"`,
};
const expected = {
  bash: /^upload\ncomplete -o default -F __wavecache_complete wavecache\n$/,
  zsh: /^upload:Upload files/,
  fish: /^upload\tUpload files.*\nsong\.mp3\n$/,
};

for (const shell of ["bash", "zsh", "fish"] as const) {
  test.skipIf(Bun.which(shell) === null)(
    `${shell} completes a command by the script that is printed for it`,
    async () => {
      writeFileSync(join(folder.path, "script"), await run("wavecache", "complete", shell));
      const quiet = { bash: ["--norc"], zsh: ["-f"], fish: ["--no-config"] }[shell];
      expect(await run(shell, ...quiet, "-c", shells[shell])).toMatch(expected[shell]);
    },
  );
}
