/** Many devices at once with random button presses, each checked against a model of a single device. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { DeviceServer, FakeSounds, fakePacket } from "../../testing/harness/servers/device-gateway.ts";
import { GrpcDevice } from "../../testing/harness/peers/grpc-device.ts";
import { until } from "../../testing/harness/until.ts";
import { buttonEvents, buttons, type Leds } from "../../wire/devices.ts";

const deviceCount = 50;
const runs = 4;

type Step =
  "connect" | "mode" | "stop" | "play" | "hold-stop" | "hold-mode" | "release" | "unknown" | "leave";

const step = fc.constantFrom<Step>(
  ...(["mode", "mode", "mode", "play", "play", "stop"] as const),
  ...(["connect", "hold-stop", "hold-mode", "release", "unknown", "leave"] as const),
);
const script = fc.array(step, { maxLength: 12 });

/** The expected state of a device, computed without the server's code. */
class Model {
  mode = 0;
  playing: number | undefined;

  take(step: Step): void {
    if (step === "mode") this.mode = this.mode === 5 ? 1 : this.mode + 1;
    if (step === "play") this.playing = this.mode;
    if (step === "stop" || step === "hold-stop") this.mode = 0;
    if (step === "stop" || step === "hold-stop" || step === "leave") this.playing = undefined;
  }

  get leds(): Leds {
    const leds: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];
    if (this.mode > 0) leds[this.mode] = 0xff00ffff;
    if (this.playing !== undefined) leds[this.playing] = 0x00ff00ff;
    return leds;
  }
}

class Actor {
  readonly model = new Model();
  #device: GrpcDevice;
  readonly #open: () => GrpcDevice;

  constructor(port: number, deviceId: string) {
    this.#open = () => new GrpcDevice(port, deviceId);
    this.#device = this.#open();
  }

  async run(steps: Step[]): Promise<void> {
    await this.#device.untilConnected();
    let acks = 0;
    for (const step of steps) {
      this.model.take(step);
      if (step === "leave") {
        // Wait until the server has every press: the model has applied them already.
        await this.#acked(acks);
        acks = 0;
        this.#device.close();
        this.#device = this.#open();
        await this.#device.untilConnected();
      } else {
        acks += 1;
        this.#press(step);
      }
    }
    await this.#acked(acks);
    await this.#device.untilShown(this.model.leds);
    await this.#checkSounds();
  }

  close(): void {
    this.#device.close();
  }

  async #acked(acks: number): Promise<void> {
    await this.#device.until(`${acks} acks`, () => this.#device.acks === acks);
  }

  #press(step: Exclude<Step, "leave">): void {
    if (step === "hold-stop") this.#device.press("stop", buttonEvents.hold);
    else if (step === "hold-mode") this.#device.press("mode", buttonEvents.hold);
    else if (step === "release") this.#device.press("play", buttonEvents.release);
    else if (step === "unknown") this.#device.press(77);
    else this.#device.press(buttons[step]);
  }

  /** Sounds follow one another, each from its beginning; the last one is still open if the model is playing. */
  async #checkSounds(): Promise<void> {
    const { playing } = this.model;
    const isOpen = () => {
      const last = this.#device.packets.at(-1);
      return last !== undefined && !last.is_end;
    };
    await this.#device.until("the sound", () => isOpen() === (playing !== undefined));
    let mode: number | undefined;
    let next = 0;
    for (const packet of this.#device.packets) {
      if (packet.is_end) {
        expect(mode).toBeDefined();
        mode = undefined;
        continue;
      }
      expect(packet.is_start).toBe(mode === undefined);
      if (mode === undefined) [mode, next] = [packet.data[1]!, 0];
      expect(Buffer.from(packet.data).equals(fakePacket(mode, next))).toBe(true);
      next += 1;
    }
    expect(mode).toBe(playing);
  }
}

test("each of fifty concurrent devices behaves as if it were alone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(script, { minLength: deviceCount, maxLength: deviceCount }),
      async (scripts) => {
        await using server = await DeviceServer.start({ sounds: new FakeSounds(Array(6).fill(5000)) });
        const actors = scripts.map((_, index) => new Actor(server.port, `device-${index}`));
        try {
          await Promise.all(actors.map((actor, index) => actor.run(scripts[index]!)));
          for (const [index, { model }] of actors.entries()) {
            const { mode, playing } = server.devices.find(`device-${index}`);
            expect({ mode, playing }).toEqual({ mode: model.mode, playing: model.playing });
          }
        } finally {
          for (const actor of actors) actor.close();
        }
        await until("nothing left behind", 10_000, () => server.isQuiet);
      },
    ),
    { numRuns: runs, endOnFailure: true },
  );
}, 60_000);
