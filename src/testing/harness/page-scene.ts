/** A server with something to see in every view of the page: a stream, a song, a device that sends, and one over gRPC. */
import { copyFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { putSample } from "./page-session.ts";
import { GrpcDevice } from "./peers/grpc-device.ts";
import { countingPayload, IngestDevice, pcmFormat } from "./peers/ingest-device.ts";
import { TestServer } from "./server.ts";
import { until } from "./until.ts";

const speech = resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav");
const frameMs = 20;
const limitMs = 20_000;
/** Of the device that sends, and of the stream. */
const usualName = "kitchen-of-the-house-with-a-very-long-name";

export interface SceneOptions {
  /** Of whatever has a name. */
  name?: string;
  flags?: Record<string, string | number>;
}

export class PageScene implements AsyncDisposable {
  readonly server: TestServer;
  readonly name: string;
  readonly lamp: GrpcDevice;
  readonly #live: IngestDevice;
  readonly #timer: Timer;

  private constructor(server: TestServer, name: string, live: IngestDevice) {
    this.server = server;
    this.name = name;
    this.lamp = new GrpcDevice(server.grpcPort, "lamp");
    this.#live = live;
    let sent = 0;
    const samples = pcmFormat.frameSamples;
    this.#timer = setInterval(() => live.send(countingPayload((sent += samples), samples)), frameMs);
  }

  /** Resolves once there is a finished recording, too. */
  static async open({ name = usualName, flags = {} }: SceneOptions = {}): Promise<PageScene> {
    const server = await TestServer.start({ flags: { "grpc-port": 0, "rotate-seconds": 3, ...flags } });
    const live = await IngestDevice.open(server.httpBase, pcmFormat, name);
    const scene = new PageScene(server, name, live);
    await putSample(server.httpBase, "first", speech, { title: name, artist: name });
    const library = join(server.folder, "library");
    await mkdir(library, { recursive: true });
    await copyFile(speech, join(library, "mode_1.wav"));
    await scene.lamp.untilConnected();
    await until("a recording", limitMs, async () => {
      const answer = await fetch(`${server.httpBase}/api/recorded`);
      return ((await answer.json()) as { devices: unknown[] }).devices.length > 0;
    });
    return scene;
  }

  /** The views, and what each shows once it has loaded. */
  get views(): [path: string, shown: string][] {
    const device = encodeURIComponent(this.name);
    return [
      ["/", ".live-row"],
      ["/streams", ".row"],
      ["/streams/first", ".facts"],
      ["/recordings", ".device-day"],
      [`/recordings/${device}?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z`, ".selection"],
      ["/live", ".live-card"],
      ["/devices", ".board"],
      ["/record", ".token-form"],
      ["/library", ".row"],
      ["/events", ".event-line"],
      ["/storage", ".gauges"],
      ["/access", ".access-cards"],
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.lamp.close();
    await this.#live.close();
    await this.server.dispose();
  }
}
