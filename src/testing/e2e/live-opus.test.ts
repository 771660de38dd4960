/** Live listening to Opus in Ogg. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { OggOpusParser } from "../../codec/ogg/ogg-opus.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { heard } from "../fixtures/sound.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until, within } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

/** A listener that reads continuously. */
class Listener {
  readonly over: Promise<void>;
  readonly packets: Uint8Array[] = [];
  readonly #parser = new OggOpusParser();
  readonly #leaver: AbortController;

  static async open(server: TestServer, name: string): Promise<Listener> {
    const leaver = new AbortController();
    const response = await fetch(`${server.httpBase}/live/${name}.opus`, { signal: leaver.signal });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("audio/ogg; codecs=opus");
    return new Listener(response, leaver);
  }

  private constructor(response: Response, leaver: AbortController) {
    this.#leaver = leaver;
    this.over = this.#read(response).catch((error: unknown) => {
      if (!leaver.signal.aborted) throw error;
    });
  }

  async leave(): Promise<void> {
    this.#leaver.abort();
    await this.over;
  }

  async #read(response: Response): Promise<void> {
    for await (const chunk of response.body!)
      for (const { packets } of this.#parser.push(new Uint8Array(chunk))) this.packets.push(...packets);
  }
}

/** A tone of 1 kHz at 16 kHz, in frames of 20 ms. */
const period = Int16Array.from({ length: 16 }, (_, at) => Math.round(8000 * Math.sin((Math.PI * at) / 8)));
const toneFrame = Buffer.concat(Array.from({ length: 20 }, () => new Uint8Array(period.buffer)));

async function sendTone(device: IngestDevice, frames: number): Promise<void> {
  for (let frame = 0; frame < frames; frame++) {
    device.send(toneFrame);
    if (frame % 10 === 9) await Bun.sleep(20);
  }
}

async function untilRecorded(server: TestServer, name: string): Promise<void> {
  const found = async () => (await fetch(`${server.httpBase}/live/${name}.opus`, { method: "HEAD" })).ok;
  await until("a recording to listen to", 5000, found);
}

const metric = async (server: TestServer, name: string) =>
  Number(
    new RegExp(`^${name} (\\d+)$`, "m").exec(await (await fetch(`${server.httpBase}/metrics`)).text())![1],
  );

test("starts with the last five seconds across rotations, and is the sound of the device", async () => {
  await using server = await TestServer.start({ flags: { "rotate-seconds": 3 } });
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "hall");
  const sendOn = async (frames: number) => {
    for (let frame = 0; frame < frames; frame++) {
      device.send(toneFrame);
      await Bun.sleep(20);
    }
  };
  await sendTone(device, 400);
  await untilRecorded(server, "hall");
  const first = await Listener.open(server, "hall");
  await until("five seconds", 5000, () => first.packets.length >= 245);
  await sendOn(50);
  const second = await Listener.open(server, "7");
  await until("five seconds", 2000, () => second.packets.length >= 245);
  await sendOn(10);
  await until("all", 5000, () => first.packets.length >= 305);
  expect(await metric(server, "wavecache_live_listeners")).toBe(2);
  // Both get the same packets: it is encoded once.
  const encoded = new Set(first.packets.map((packet) => Buffer.from(packet).toString("hex")));
  const shared = second.packets
    .slice(0, -5)
    .map((packet) => encoded.has(Buffer.from(packet).toString("hex")));
  expect(shared.length).toBeGreaterThan(240);
  expect(shared.every(Boolean)).toBe(true);
  const sound = await heard(first.packets);
  const zeros = sound.filter((sample) => Math.abs(sample) < 0.001).length;
  expect(zeros / sound.length).toBeLessThan(0.05);
  expect(Math.max(...sound.subarray(4800))).toBeWithin(0.22, 0.27);
  await first.leave();
  await until("one listener", 5000, async () => (await metric(server, "wavecache_live_listeners")) === 1);
  await device.close();
  await within("the end of listening", 5000, second.over);
});

test("is encoded anew after its listeners have left", async () => {
  await using server = await TestServer.start();
  const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, channels: 2 }, "attic");
  const sending = setInterval(() => device.send(countingPayload(0, 640)), 20);
  try {
    await untilRecorded(server, "attic");
    for (let turn = 0; turn < 5; turn++) {
      const listener = await Listener.open(server, "attic");
      await until("audio", 5000, () => listener.packets.length >= 5);
      await listener.leave();
    }
    await until("no listeners", 5000, async () => (await metric(server, "wavecache_live_listeners")) === 0);
  } finally {
    clearInterval(sending);
  }
  await device.close();
});

test("is refused for a sample rate that cannot be encoded, and unknown without a recording", async () => {
  await using server = await TestServer.start();
  expect((await fetch(`${server.httpBase}/live/nobody.opus`)).status).toBe(404);
  expect((await fetch(`${server.httpBase}/live/x.opus`, { method: "POST" })).status).toBe(405);
  const device = await IngestDevice.open(server.httpBase, { ...pcmFormat, sampleRate: 500 }, "slow");
  device.send(countingPayload(0, 320));
  await untilRecorded(server, "slow");
  const refused = await fetch(`${server.httpBase}/live/slow.opus`);
  expect(refused.status).toBe(406);
  expect(await refused.json()).toMatchObject({ error: { code: "RATE_NOT_ENCODABLE" } });
  await device.close();
});
