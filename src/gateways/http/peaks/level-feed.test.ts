import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openPrincipal, Principal } from "../../../access/principal.ts";
import { Grants } from "../../../access/grants.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { GatewayMeter } from "../../../base/gateway-meter.ts";
import { maxLevelListeners } from "../../../base/limits/peaks.ts";
import type { Level } from "../../../codec/peaks/level.ts";
import { until } from "../../../testing/harness/until.ts";
import { LevelFeed } from "./level-feed.ts";

class Sender {
  readonly handshake = { streamId: 7 };
  readonly hwid: string | null;
  levelBlocks: number | undefined = 0;
  level: Level | undefined = { peak: 16_384, meanSquare: 2 ** 28, clipped: 2 };
  constructor(hwid: string | null) {
    this.hwid = hwid;
  }
  addBlock(): void {
    if (this.levelBlocks !== undefined) this.levelBlocks += 1;
  }
}

const kitchen = "kitchen";
let senders: Sender[];
let feed: LevelFeed;
let meter: GatewayMeter;
let sending: Timer;
beforeEach(() => {
  senders = [new Sender(kitchen), new Sender("garage"), new Sender(null)];
  feed = new LevelFeed({ metered: () => senders, countLevelListeners: () => {} });
  meter = new GatewayMeter("test");
  sending = setInterval(() => senders.forEach((each) => each.addBlock()), 20);
});
afterEach(() => clearInterval(sending));

const anybody = openPrincipal("127.0.0.1");
const everything = () => true;

/** The text up to the first event. */
async function firstEvent(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("event:")) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  return text;
}

describe("a feed of levels", () => {
  test("describes each recording with a new level", async () => {
    senders[1]!.levelBlocks = undefined;
    const text = await firstEvent(feed.follow(anybody, everything, meter));
    const data = JSON.parse(/data: (.*)\n\n$/.exec(text)![1]!) as { at: number; levels: object[] };
    expect(data.levels).toEqual([
      { device: kitchen, streamId: 7, peak: -6, rms: -6, clipped: 2 },
      { device: null, streamId: 7, peak: -6, rms: -6, clipped: 2 },
    ]);
    expect(Math.abs(data.at - Date.now())).toBeLessThan(5000);
  });

  test("sends only what matches, and what the principal may hear", async () => {
    expect(await firstEvent(feed.follow(anybody, (name) => name === "7", meter))).not.toContain(kitchen);
    const grants = Grants.parse("listen:recordings/garage");
    const facts = {
      kind: "token",
      id: "t",
      grants,
      address: "",
      ended: new AbortController().signal,
    } as const;
    const text = await firstEvent(feed.follow(new Principal(facts), everything, meter));
    expect(text).toContain("garage");
    expect(text).not.toContain(kitchen);
  });

  test("skips events of a client that does not read", async () => {
    const stream = feed.follow(anybody, everything, meter);
    await until("skipped bytes", 5000, () => meter.skippedBytes > 0);
    await stream.cancel();
  });

  test("ends with the principal", async () => {
    const ended = new AbortController();
    const facts = {
      kind: "token",
      id: "t",
      grants: Grants.everything,
      address: "",
      ended: ended.signal,
    } as const;
    const reader = feed.follow(new Principal(facts), everything, meter).getReader();
    ended.abort();
    while (!(await reader.read()).done);
    await reader.closed;
  });

  test("has a limited number of clients", async () => {
    const streams = Array.from({ length: maxLevelListeners }, () => feed.follow(anybody, everything, meter));
    expect(() => feed.follow(anybody, everything, meter)).toThrow(new WavecacheError("LISTENERS_EXHAUSTED"));
    await streams[0]!.cancel();
    const last = feed.follow(anybody, everything, meter);
    await Promise.all([last, ...streams.slice(1)].map((stream) => stream.cancel()));
  });
});
