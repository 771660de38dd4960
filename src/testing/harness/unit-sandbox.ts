/**
 * Runs a program under the restrictions of the unit of systemd where no systemd runs: as another user without privileges,
 * with the unit's view of the files, its system calls and its families of addresses.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "./documents.ts";
import { systemCallFilter } from "./system-call-filter.ts";

const programs = ["bwrap", "gcc", "systemd-analyze"];
/** One of those that DynamicUser picks from. */
const user = "61184";

export function canSandbox(): boolean {
  if (process.platform !== "linux" || programs.some((name) => Bun.which(name) === null)) return false;
  return Bun.spawnSync(["bwrap", "--ro-bind", "/", "/", "--unshare-user", "true"]).success;
}

export class UnitSandbox {
  readonly #unit = readFileSync(join(projectFolder, "deploy/wavecache.service"), "utf8");
  /** The words of ExecStart. */
  readonly command = this.#values("ExecStart")[0]!.split(" ");
  /** The variables that the unit sets. */
  readonly environment = Object.fromEntries(
    this.#values("Environment").map((each) => each.split("=") as [string, string]),
  );
  readonly #stateFolder = `/var/lib/${this.#values("StateDirectory")[0]}`;

  /**
   * The beginning of a command. `program` is found where the unit looks for it. In `folder` are the state, as `state`, and
   * what the unit sees as `/run`, as `run`.
   */
  launcher(folder: string, program: string): string[] {
    const [state, run, filter] = ["state", "run", "filter"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [state, run]) mkdirSync(each, { recursive: true });
    writeFileSync(filter, this.#filter());
    const hidden = ["/home", "/root", "/tmp", "/var/lib", "/usr/local"].flatMap((path) => ["--tmpfs", path]);
    const files = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", ...hidden];
    const own = ["--bind", state, this.#stateFolder, "--bind", run, "/run"];
    const installed = ["--ro-bind", program, this.command[0]!, "--remount-ro", "/usr/local"];
    const rights = ["--unshare-user", "--uid", user, "--gid", user, "--cap-drop", "ALL", "--die-with-parent"];
    const bwrap = ["bwrap", ...files, ...own, ...installed, ...rights, "--chdir", this.#stateFolder];
    return ["sh", "-c", `exec "$@" 3< "${filter}"`, "sh", ...bwrap, "--seccomp", "3"];
  }

  #values(key: string): string[] {
    return Array.from(this.#unit.matchAll(new RegExp(`^${key}=(.+)$`, "gm")), ([, value]) => value!);
  }

  #filter(): Uint8Array {
    const sets = this.#values("SystemCallFilter").map((each) => each.split(" "));
    const [deny = [], allow = []] = sets.toSorted(([one]) => (one!.startsWith("~") ? -1 : 1));
    const families = this.#values("RestrictAddressFamilies").flatMap((each) => each.split(" "));
    return systemCallFilter({ allow, deny: deny.map((name) => name.replace("~", "")), families });
  }
}
