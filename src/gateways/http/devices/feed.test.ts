import { beforeEach, describe, expect, test } from "bun:test";
import { Grants } from "../../../access/grants.ts";
import { openPrincipal, Principal } from "../../../access/principal.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { GatewayMeter } from "../../../base/gateway-meter.ts";
import { maxDeviceFollowers, maxFeedDevices } from "../../../base/limits/devices.ts";
import type { DeviceDescription } from "./description.ts";
import { DeviceFeed } from "./feed.ts";

/** Devices whose modes a test changes. */
class FakeDevices {
  readonly modes = new Map<string, number>();
  readonly watchers = new Set<(deviceId: string) => void>();
  isComplete = true;

  async complete(): Promise<void> {}

  running(): Iterable<{ hwid: string }> {
    return recorded.map((hwid) => ({ hwid }));
  }

  set(deviceId: string, mode: number): void {
    this.modes.set(deviceId, mode);
    for (const watcher of this.watchers) watcher(deviceId);
  }

  forget(deviceId: string): void {
    this.modes.delete(deviceId);
    for (const watcher of this.watchers) watcher(deviceId);
  }

  watch(onChange: (deviceId: string) => void): () => void {
    this.watchers.add(onChange);
    return () => void this.watchers.delete(onChange);
  }

  ids(): Iterable<string> {
    return this.modes.keys();
  }

  peek(deviceId: string): DeviceDescription | undefined {
    const mode = this.modes.get(deviceId);
    if (mode === undefined) return undefined;
    const state = { connectedAt: undefined, playing: undefined, leds: [0], report: undefined, held: [] };
    return { deviceId, node: null, mode, createdAt: 0, seenAt: 0, ...state };
  }
}

interface Change {
  devices: { deviceId: string; mode: number; recording: boolean }[];
  gone: string[];
  incomplete: boolean;
}

/** A client that reads event by event. */
class Reader {
  readonly #reader: { read(): Promise<{ value?: Uint8Array | undefined }>; cancel(): Promise<void> };

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async next(): Promise<Change> {
    const { value } = await this.#reader.read();
    return JSON.parse(
      /^event: devices\ndata: (.*)\n\n$/.exec(new TextDecoder().decode(value))![1]!,
    ) as Change;
  }

  async end(): Promise<void> {
    await this.#reader.cancel();
  }
}

const anybody = openPrincipal("127.0.0.1");
const everything = () => true;

let devices: FakeDevices;
let recorded: string[];
let feed: DeviceFeed;
let meter: GatewayMeter;

beforeEach(() => {
  devices = new FakeDevices();
  recorded = [];
  feed = new DeviceFeed(devices);
  meter = new GatewayMeter("test");
});

function token(grants: string, ended = new AbortController().signal): Principal {
  return new Principal({ kind: "token", id: "t", grants: Grants.parse(grants), address: "", ended });
}

function follow(principal = anybody, matches: (id: string) => boolean = everything): Reader {
  return new Reader(feed.follow(principal, matches, meter));
}

describe("a feed of devices", () => {
  test("begins with all devices, also if there are none, and goes on with those that change", async () => {
    const first = follow();
    expect(await first.next()).toEqual({ devices: [], gone: [], incomplete: false });
    devices.set("a", 1);
    devices.set("b", 2);
    devices.set("a", 3);
    const { devices: changed } = await first.next();
    expect(changed.map(({ deviceId, mode }) => [deviceId, mode])).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
    const second = follow();
    expect((await second.next()).devices.length).toBe(2);
    devices.forget("a");
    expect(await second.next()).toEqual({ devices: [], gone: ["a"], incomplete: false });
    await Promise.all([first.end(), second.end()]);
    expect(devices.watchers.size).toBe(0);
  });

  test("says when the recording of a device begins and ends", async () => {
    devices.set("a", 0);
    devices.set("b", 0);
    const reader = follow();
    await reader.next();
    recorded = ["b", "other"];
    expect((await reader.next()).devices).toMatchObject([{ deviceId: "b", recording: true }]);
    recorded = [];
    expect((await reader.next()).devices).toMatchObject([{ deviceId: "b", recording: false }]);
    await reader.end();
  });

  test("says when devices of other nodes may be missing, and when they are there", async () => {
    const reader = follow();
    expect((await reader.next()).incomplete).toBe(false);
    devices.isComplete = false;
    expect(await reader.next()).toEqual({ devices: [], gone: [], incomplete: true });
    devices.isComplete = true;
    expect(await reader.next()).toEqual({ devices: [], gone: [], incomplete: false });
    await reader.end();
  });

  test("sends only what matches, and what the principal may list", async () => {
    for (const id of ["hall", "garage", "kitchen"]) devices.set(id, 1);
    const matching = follow(anybody, (id) => id === "hall");
    expect((await matching.next()).devices.map(({ deviceId }) => deviceId)).toEqual(["hall"]);
    const granted = follow(token("list:devices/garage"));
    expect((await granted.next()).devices.map(({ deviceId }) => deviceId)).toEqual(["garage"]);
    await Promise.all([matching.end(), granted.end()]);
  });

  test("sends the latest state to a client that reads late, and no state twice", async () => {
    devices.set("a", 0);
    const [late, prompt] = [follow(), follow()];
    const sent: number[] = [];
    for (const mode of [1, 2, 3]) {
      sent.push((await prompt.next()).devices[0]!.mode);
      devices.set("a", mode);
    }
    sent.push((await prompt.next()).devices[0]!.mode);
    expect(sent).toEqual([0, 1, 2, 3]);
    // Two events wait for the client, which gets no further one until it reads.
    const modes: number[] = [];
    while (modes.at(-1) !== 3) modes.push((await late.next()).devices[0]!.mode);
    expect(modes).toEqual([0, 1, 3]);
    await Promise.all([late.end(), prompt.end()]);
  });

  test("sends many devices in several events", async () => {
    for (let at = 0; at < maxFeedDevices + 10; at++) devices.set(`d${at}`, 1);
    const reader = follow();
    expect((await reader.next()).devices.length).toBe(maxFeedDevices);
    expect((await reader.next()).devices.length).toBe(10);
    await reader.end();
  });

  test("ends with the principal", async () => {
    const ended = new AbortController();
    const stream = feed.follow(token("*", ended.signal), everything, meter);
    ended.abort();
    const text = await new Response(stream).text();
    expect(text).toContain("event: devices");
    expect(devices.watchers.size).toBe(0);
  });

  test("refuses more clients than it has room for", async () => {
    const readers = Array.from({ length: maxDeviceFollowers }, () => follow());
    expect(() => follow()).toThrow(new WavecacheError("LISTENERS_EXHAUSTED"));
    await Promise.all(readers.map((reader) => reader.end()));
    await follow().end();
  });
});
