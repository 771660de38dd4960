import { describe, expect, test } from "bun:test";
import { until } from "../../testing/harness/until.ts";
import type { Socket } from "../transport/platform.ts";
import { LivePlayer, type LivePlayerOptions } from "./player.ts";
import type { LiveReport } from "./processor.ts";
import type { LiveAudioContext, LiveNode } from "./web-audio.ts";

/** A browser: the sockets that were opened, and what happened to the audio. */
class Stage {
  readonly said: string[] = [];
  readonly sockets: EventTarget[] = [];
  readonly loaded = Promise.withResolvers<void>();
  readonly options: LivePlayerOptions;

  constructor() {
    const { said, sockets, loaded } = this;
    class FakeSocket extends EventTarget {
      constructor(url: string) {
        super();
        said.push(`connect ${url}`);
        sockets.push(this);
      }
      close(code: number): void {
        said.push(`close ${code}`);
      }
    }
    class FakeNode implements LiveNode<LiveReport> {
      readonly port = {
        onmessage: null,
        postMessage: (message: ArrayBuffer) => void said.push(`audio ${message.byteLength}`),
      };
      connect(): void {
        said.push("sound on");
      }
      disconnect(): void {
        said.push("sound off");
      }
    }
    const context = {
      audioWorklet: { addModule: () => loaded.promise },
      destination: {},
      resume: async () => {},
    } as unknown as LiveAudioContext;
    this.options = {
      url: "ws://x/live/mic",
      workletUrl: "/worklet.js",
      context,
      onState: (state) => void said.push(state),
      WebSocket: FakeSocket as unknown as new (url: string) => Socket,
      AudioWorkletNode: FakeNode,
    };
  }

  message(bytes: number): void {
    this.sockets.at(-1)!.dispatchEvent(new MessageEvent("message", { data: new ArrayBuffer(bytes) }));
  }

  lose(code: number): void {
    this.sockets.at(-1)!.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

describe("a live player", () => {
  test("plays what came before the worklet was loaded, too", async () => {
    const stage = new Stage();
    const opening = LivePlayer.open(stage.options);
    stage.message(10);
    stage.message(20);
    stage.loaded.resolve();
    const player = await opening;
    stage.message(30);
    player.close();
    player.close();
    stage.message(40);
    expect(stage.said).toEqual([
      "connect ws://x/live/mic",
      "playing",
      "sound on",
      "audio 10",
      "audio 20",
      "audio 30",
      "close 1000",
      "sound off",
      "closed",
    ]);
  });

  test("connects again when the recording has ended, and not when it may not listen", async () => {
    const stage = new Stage();
    stage.loaded.resolve();
    const player = await LivePlayer.open(stage.options);
    stage.message(10);
    stage.lose(1000);
    expect(player.state).toBe("waiting");
    await until("another connection", 5000, () => stage.sockets.length === 2);
    stage.lose(4401);
    expect(player.state).toBe("closed");
    expect(stage.said.slice(-2)).toEqual(["sound off", "closed"]);
  });

  test("that cannot load its worklet leaves nothing open", async () => {
    const stage = new Stage();
    stage.loaded.reject(new Error("404"));
    const failure = await LivePlayer.open(stage.options).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: "404" });
    expect(stage.said.slice(1)).toEqual(["close 1000", "closed"]);
  });
});
