import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { maxMqttRecorders } from "../../base/limits/mqtt.ts";
import { until } from "../../testing/harness/until.ts";
import { RecorderStates, type RunningRecording } from "./recorder-states.ts";
import { Topics } from "./topics.ts";

let running: RunningRecording[];
let states: RecorderStates;
let changed: string[];

function recording(hwid: string | null): RunningRecording {
  return { isRunning: true, hwid, handshake: { streamId: 7 }, levelBlocks: undefined, level: undefined };
}

function payloadOf(device: string): string | undefined {
  return states.describe(device)?.states[0]?.payload;
}

beforeEach(() => {
  running = [];
  changed = [];
  states = new RecorderStates({ running: () => running }, new Topics("wavecache"), undefined);
  states.open(
    (device) => changed.push(device),
    () => Promise.resolve(),
  );
});

afterEach(() => states.close());

describe("devices that record", () => {
  test("are known by their hardware id, or else by their stream id, and stay known", async () => {
    running = [recording("kitchen"), recording(null)];
    await until("both", 5_000, () => changed.length === 2);
    expect([...states.ids()]).toEqual(["kitchen", "7"]);
    expect(payloadOf("kitchen")).toBe("ON");
    running = [];
    await until("the end of both", 5_000, () => changed.length === 4);
    expect([payloadOf("kitchen"), payloadOf("7")]).toEqual(["OFF", "OFF"]);
    expect(payloadOf("garage")).toBeUndefined();
  });

  test("of an earlier run do not record any more", async () => {
    states.heard("garage");
    await until("the change", 5_000, () => changed.includes("garage"));
    expect(payloadOf("garage")).toBe("OFF");
  });

  test("are bounded: those that no longer record are forgotten", async () => {
    running = Array.from({ length: maxMqttRecorders }, (_, n) => recording(`d${n}`));
    await until("all", 5_000, () => changed.length === maxMqttRecorders);
    running = [recording("new"), ...running.slice(1)];
    await until("the new one", 5_000, () => changed.includes("new"));
    expect([...states.ids()]).toHaveLength(maxMqttRecorders);
    expect(payloadOf("d0")).toBeUndefined();
    expect(changed.filter((device) => device === "d0")).toHaveLength(3);
  });
});
