/** A server with something to see: streams of all kinds, songs, a device that sends, and one over gRPC. */
import { copyFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TestServer } from "../harness/server.ts";

const project = resolve(import.meta.dir, "../../..");
const samples = join(project, "data/samples");
const music = join(samples, "music-44k-stereo.mp3");
const speech = join(samples, "speech-16k-mono.wav");

interface SceneStream {
  id: string;
  path: string;
  tags: Record<string, string>;
}

const usual: SceneStream[] = [
  {
    id: "prelude",
    path: music,
    tags: { title: "Prelude in C", artist: "Anna Berg", album: "Morning", genre: "Classical" },
  },
  { id: "field-notes-07", path: speech, tags: { title: "Field notes, day 7", artist: "R. Okafor" } },
  {
    id: "dawn",
    path: music,
    tags: { title: "Dawn chorus", artist: "Marsh station", genre: "Field recording" },
  },
  { id: "interview.wav", path: speech, tags: { name: "interview.wav" } },
  { id: "tide", path: music, tags: { title: "Slack water", artist: "Anna Berg", album: "Morning" } },
  { id: "bees", path: speech, tags: { title: "Hive 3, before rain", artist: "Marsh station" } },
  { id: "rtl", path: music, tags: { title: "مقدمة موسيقية", artist: "فرقة الصباح" } },
  { id: "evening", path: music, tags: { title: "Evening tide", artist: "Anna Berg", album: "Morning" } },
];

/** Names that break pages. */
const unusual: SceneStream[] = [
  {
    id: "long",
    path: music,
    tags: { title: `Überlänge ${"sehr lange ".repeat(20)}`, artist: "早朝の鳥のさえずりと川の音" },
  },
  { id: "hostile", path: speech, tags: { title: "<img src=x onerror=alert(1)>", artist: "\"'><script>" } },
];

export class Scene {
  readonly server: TestServer;
  readonly #programs: Bun.Subprocess[] = [];

  private constructor(server: TestServer) {
    this.server = server;
  }

  static async open(options: { isUsual: boolean }): Promise<Scene> {
    const server = await TestServer.start({ flags: { "grpc-port": 0, "rotate-seconds": 2 } });
    const scene = new Scene(server);
    await scene.#fillLibrary();
    const streams = options.isUsual ? usual : [...unusual, ...usual];
    for (const stream of streams) await scene.#put(stream);
    scene.#send("kitchen", speech);
    scene.#send("studio", join(samples, "music-44k-stereo.wav"));
    scene.#run(
      "device",
      "--id",
      "lamp",
      "--grpc",
      `127.0.0.1:${server.grpcPort}`,
      "--press",
      "mode,wait:600",
    );
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) program.kill();
    await Promise.all(this.#programs.map(({ exited }) => exited));
    await this.server.dispose();
  }

  async #fillLibrary(): Promise<void> {
    const folder = join(this.server.folder, "library");
    await mkdir(folder, { recursive: true });
    await copyFile(speech, join(folder, "mode_1.wav"));
    await copyFile(music, join(folder, "mode_2.mp3"));
    await copyFile(music, join(folder, "Evening tide.mp3"));
    await copyFile(speech, join(folder, "startup.wav"));
  }

  async #put({ id, path, tags }: SceneStream): Promise<void> {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(tags)) query.append(`tag.${key}`, value);
    const address = `${this.server.httpBase}/api/streams/${id}/audio?${query.toString()}`;
    const answer = await fetch(address, { method: "PUT", body: Bun.file(path) });
    if (!answer.ok) throw new Error(await answer.text());
  }

  #send(hwid: string, path: string): void {
    const address = `${this.server.httpBase.replace("http", "ws")}/ws`;
    this.#run("stream", "--wav", path, "--hwid", hwid, "--url", address, "--realtime", "--loop");
  }

  #run(...args: string[]): void {
    this.#programs.push(
      Bun.spawn([process.execPath, "run", "src/cli/main.ts", ...args], {
        cwd: project,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "inherit",
      }),
    );
  }
}
