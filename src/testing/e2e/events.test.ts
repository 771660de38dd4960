/** Events of the real server, as a client of `/api/events` gets them. */
import { describe, expect, test } from "bun:test";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { EventStreamPeer } from "../harness/peers/event-stream.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { removeStream } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

async function upload(server: TestServer): Promise<string> {
  using peer = await AudioCachePeer.open(server.url);
  const id = freshId("event");
  await peer.upload(id, new Uint8Array(1000));
  return id;
}

describe("the event stream", () => {
  test("tells of streams and recordings as they happen", async () => {
    await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
    using all = await EventStreamPeer.open(server.httpBase, "after=0");
    using filtered = await EventStreamPeer.open(server.httpBase, "type=stream.*&subject=streams/event-*");
    const id = await upload(server);
    await removeStream(server.httpBase, id);
    {
      using device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
      device.send(countingPayload(0, 320));
      await device.close();
    }
    const subject = `streams/${id}`;
    expect((await filtered.take(3)).map((event) => [event.type, event.subject])).toEqual([
      ["stream.started", subject],
      ["stream.finished", subject],
      ["stream.removed", subject],
    ]);
    const seen = await all.take(6);
    expect(seen.map(({ type }) => type)).toEqual([
      "server.started",
      "stream.started",
      "stream.finished",
      "stream.removed",
      "recording.opened",
      "recording.closed",
    ]);
    expect(seen.at(-1)).toMatchObject({ subject: "recordings/kitchen", data: { device: "kitchen" } });
  });

  test("tells of silence, of sound after it, and of clipping", async () => {
    await using server = await TestServer.start({ flags: { "silence-seconds": 1, "silence-dbfs": -40 } });
    using events = await EventStreamPeer.open(server.httpBase, "type=audio.*&after=0");
    using device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
    const send = (sample: number, seconds: number) => {
      const payload = Buffer.from(new Int16Array(320).fill(sample).buffer);
      for (let frames = 50 * seconds; frames > 0; frames -= 1) device.send(payload);
    };
    const sent = Date.now();
    send(8_000, 1);
    send(0, 2);
    send(8_000, 1);
    send(32_767, 1);
    const seen = await events.take(3);
    expect(seen.map(({ type }) => type)).toEqual(["audio.silent", "audio.active", "audio.clipping"]);
    const [silentAt, activeAt, clippingAt] = seen.map(({ data }) => Number(data["atMs"]));
    // The audio has a clock of its own, which begins when the device connects.
    expect(activeAt! - silentAt!).toBeWithin(1_900, 2_101);
    expect(clippingAt! - activeAt!).toBeWithin(900, 1_101);
    expect(Math.abs(silentAt! - sent - 1_000)).toBeLessThan(5_000);
    for (const { subject, data } of seen)
      expect([subject, data["device"], data["streamId"]]).toEqual(["recordings/kitchen", "kitchen", 7]);
    await device.close();
  });

  test("begins with the last events, for a client that asks for them", async () => {
    await using server = await TestServer.start();
    const first = await upload(server);
    await server.stop();
    await server.restart();
    // The ids of a run begin far above those of the run before.
    using events = await EventStreamPeer.open(server.httpBase, "last=3");
    const second = await upload(server);
    const seen = (await events.take(5)).map(({ type, subject }) => `${type} ${subject}`);
    const wanted = [first, second].map((id) => [
      `stream.started streams/${id}`,
      `stream.finished streams/${id}`,
    ]);
    expect(seen).toEqual([...wanted[0]!, "server.started server", ...wanted[1]!]);
  });

  test("resumes after the last event that a client has, also after kill -9", async () => {
    await using server = await TestServer.start();
    const first = await upload(server);
    using before = await EventStreamPeer.open(server.httpBase, "after=0");
    const events = await before.take(3);
    await server.kill9();
    await server.restart();
    const second = await upload(server);
    using after = await EventStreamPeer.open(server.httpBase, "", events[1]!.id);
    const resumed = await after.take(4);
    expect(resumed[0]).toEqual(events[2]!);
    expect(resumed.slice(1).map(({ type }) => type)).toEqual([
      "server.started",
      "stream.started",
      "stream.finished",
    ]);
    expect([events[2]!.subject, resumed[3]!.subject]).toEqual([`streams/${first}`, `streams/${second}`]);
    const ids = [...events, ...resumed.slice(1)].map((event) => Number(event.id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  });
});
