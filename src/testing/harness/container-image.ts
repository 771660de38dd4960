/**
 * The image of the Dockerfile, built by buildah without a registry of images: in the place of its two bases are folders
 * with the C library and the Bun of this machine. Needs root, as a build in a chroot does.
 */
import { $ } from "bun";
import { copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { projectFolder } from "./documents.ts";

const programs = ["buildah", "bwrap", "dash", "ldd"];
const baseOfProgram = "gcr.io/distroless/base-debian12";

export function canBuildImages(): boolean {
  return process.getuid?.() === 0 && programs.every((name) => Bun.which(name) !== null);
}

export class ContainerImage implements AsyncDisposable {
  /** The files of the image. */
  readonly root: string;
  /** What the image says of itself, as the engines read it. */
  readonly config: ImageConfig;
  readonly bytes: number;
  readonly #storage: string[];

  private constructor(storage: string[], root: string, config: ImageConfig, bytes: number) {
    this.#storage = storage;
    this.root = root;
    this.config = config;
    this.bytes = bytes;
  }

  /** Keeps everything in `folder`, which must be on a real file system. */
  static async build(folder: string, commit: string): Promise<ContainerImage> {
    const storage = [
      "--root",
      join(folder, "root"),
      "--runroot",
      join(folder, "run"),
      "--storage-driver",
      "vfs",
    ];
    const buildah = async (...args: string[]) => (await $`buildah ${storage} ${args}`.quiet().text()).trim();
    const container = await buildah("from", "scratch");
    await buildah("copy", container, makeBase(join(folder, "base")), "/");
    await buildah("commit", "--quiet", container, `${baseOfProgram}:latest`);
    await buildah("copy", container, realpathSync(process.execPath), "/usr/local/bin/bun");
    await buildah("commit", "--quiet", container, `docker.io/oven/bun:${Bun.version}`);
    // The packages are those that this machine has installed already.
    const cache = `${(await $`bun pm cache`.quiet().text()).trim()}:/.bun/install/cache`;
    const settings = ["--isolation", "chroot", "--pull=never", "--format", "docker", "--volume", cache];
    await buildah("bud", ...settings, "--build-arg", `COMMIT=${commit}`, "--tag", "wavecache", projectFolder);
    const image = JSON.parse(await buildah("inspect", "--type", "image", "localhost/wavecache"));
    const [{ size }] = JSON.parse(await buildah("images", "--json", "localhost/wavecache"));
    const root = await buildah("mount", await buildah("from", "--pull=never", "localhost/wavecache"));
    return new ContainerImage(storage, root, image.Docker.config, bytesOf(size));
  }

  /** The beginning of a command that runs in the image: its root read-only, as its user, without privileges. */
  command(volume: string): string[] {
    const [uid, gid] = this.config.User.split(":") as [string, string];
    const environment = this.config.Env.flatMap((each) => {
      const at = each.indexOf("=");
      return ["--setenv", each.slice(0, at), each.slice(at + 1)];
    });
    const files = ["--ro-bind", this.root, "/", "--bind", volume, "/data", "--tmpfs", "/tmp"];
    const system = [
      "--proc",
      "/proc",
      "--dev",
      "/dev",
      "--unshare-user",
      "--unshare-pid",
      "--die-with-parent",
    ];
    const user = ["--uid", uid, "--gid", gid, "--chdir", this.config.WorkingDir];
    return ["bwrap", ...files, ...system, ...user, "--clearenv", ...environment];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await $`buildah ${this.#storage} rm --all`.quiet();
  }
}

interface ImageConfig {
  User: string;
  Env: string[];
  Entrypoint: string[];
  Healthcheck: { Test: string[] };
  WorkingDir: string;
}

/** A folder with a shell, `mkdir` and the libraries that these and Bun need. */
function makeBase(folder: string): string {
  for (const path of ["usr/bin", "usr/lib", "etc", "tmp", "proc", "dev", "sys"])
    mkdirSync(join(folder, path), { recursive: true });
  symlinkSync("usr/bin", join(folder, "bin"));
  symlinkSync("usr/lib", join(folder, "lib"));
  writeFileSync(join(folder, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  copyFileSync(Bun.which("dash")!, join(folder, "usr/bin/sh"));
  copyFileSync(Bun.which("mkdir")!, join(folder, "usr/bin/mkdir"));
  for (const program of [Bun.which("dash")!, Bun.which("mkdir")!, process.execPath])
    for (const library of librariesOf(program)) {
      mkdirSync(join(folder, dirname(library)), { recursive: true });
      copyFileSync(library, join(folder, library));
    }
  return folder;
}

function librariesOf(program: string): string[] {
  return Array.from(
    Bun.spawnSync(["ldd", program])
      .stdout.toString()
      .matchAll(/\s(\/\S+)/g),
    ([, path]) => path!,
  );
}

/** `126 MB`, as buildah prints it. */
function bytesOf(text: string): number {
  const [, size, unit] = /^([\d.]+) ?([kMG]?)B$/.exec(text)!;
  return Number(size) * { "": 1, k: 1e3, M: 1e6, G: 1e9 }[unit as "" | "k" | "M" | "G"];
}
