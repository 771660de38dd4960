/** When there is audio of a device: sessions, losses, pauses and crashes on a timeline. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { microseconds, type Timeline, timelineOf } from "../harness/http/timeline.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);
useServers();

const frameUs = 20_000;
const quickFlags = { "rotate-seconds": 1, "sync-seconds": 1 };

function send(device: IngestDevice, frames: number): void {
  for (let frame = 0; frame < frames; frame++) device.send(countingPayload(device.seq * 320, 320));
}

async function untilTimeline(
  server: TestServer,
  device: string,
  isDone: (timeline: Timeline) => boolean,
): Promise<Timeline> {
  return await until("the timeline", 10_000, async () => {
    const timeline = await timelineOf(server.httpBase, device);
    return timeline !== undefined && isDone(timeline) ? timeline : undefined;
  });
}

const durations = ({ spans }: Timeline) =>
  spans.map(({ start, end }) => microseconds(end) - microseconds(start));

test("a timeline has the sessions of a device, and why there is no audio between them", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  const startedUs = Date.now() * 1000;
  using first = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  send(first, 10);
  first.seq += 5;
  send(first, 10);
  await first.close();
  await untilTimeline(server, "kitchen", ({ spans }) => spans[0]?.ended === "device");
  using second = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  send(second, 10);
  const folder = `${server.folder}/received/kitchen`;
  await until("the second session to be flushed", 10_000, () => {
    const sizes = [...new Bun.Glob("*.bin").scanSync(folder)].map(
      (name) => Bun.file(`${folder}/${name}`).size,
    );
    return sizes.filter((size) => size > 0).length === 2;
  });
  await server.kill9();
  await server.restart();
  using third = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  send(third, 10);
  await third.close();
  const timeline = await untilTimeline(server, "kitchen", ({ spans }) => spans.length === 3);
  expect(durations(timeline)).toEqual([25 * frameUs, 10 * frameUs, 10 * frameUs]);
  expect(timeline.gaps.map(({ reason }) => reason)).toEqual(["lost frames", "silent link", "server down"]);
  expect(timeline.totals).toEqual({ spans: 3, segments: 3, seconds: 0.9, lostFrames: 5 });
  const [span] = timeline.spans;
  expect(span).toMatchObject({ streamId: 7, sampleRate: 16_000, channels: 1, samples: 20 * 320 });
  expect(microseconds(span!.start)).toBeWithin(startedUs, startedUs + 5_000_000);
  expect(microseconds(span!.deviceTime!)).toBeWithin(startedUs, startedUs + 5_000_000);
  const [lost] = timeline.gaps;
  expect(microseconds(lost!.start) - microseconds(span!.start)).toBe(10 * frameUs);
  expect(microseconds(lost!.end) - microseconds(lost!.start)).toBe(5 * frameUs);
});

test("segments of one session join across rotations, and a pause is a gap of its length", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  using device = await IngestDevice.open(server.httpBase, { ...pcmFormat, streamId: 4711 });
  const start = performance.now();
  for (let frame = 0; frame < 110; frame++) {
    await Bun.sleep(Math.max(0, start + frame * 20 - performance.now()));
    send(device, 1);
  }
  await Bun.sleep(2_500);
  send(device, 10);
  await device.close();
  const timeline = await untilTimeline(server, "4711", ({ totals }) => totals.segments >= 4);
  expect(durations(timeline)).toEqual([110 * frameUs, 10 * frameUs]);
  expect(timeline.spans[0]!.segments).toBeGreaterThan(2);
  expect(timeline.gaps).toHaveLength(1);
  const [gap] = timeline.gaps;
  expect(gap!.reason).toBe("silent link");
  expect(microseconds(gap!.end) - microseconds(gap!.start)).toBeWithin(2_200_000, 3_500_000);
});

test("a period of a timeline is continued page by page, and unknown devices have none", async () => {
  await using server = await TestServer.start({ flags: quickFlags });
  for (let count = 0; count < 3; count++) {
    using device = await IngestDevice.open(server.httpBase, pcmFormat, "hall");
    send(device, 1);
    await device.close();
  }
  const all = await untilTimeline(server, "hall", ({ spans }) => spans.length === 3);
  const paged: Timeline["spans"] = [];
  for (let from: string | null = all.earliest; from !== null;) {
    const page: Timeline | undefined = await timelineOf(server.httpBase, "hall", `from=${from}&limit=1`);
    paged.push(...page!.spans);
    from = page!.next;
  }
  expect(paged).toEqual(all.spans);
  expect(await timelineOf(server.httpBase, "nobody")).toBeUndefined();
  expect(await timelineOf(server.httpBase, "hall", "stream=8")).toBeUndefined();
});
