/** Devices of live ingest that vanish without a close, and devices that are only quiet. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { allRecordings } from "../harness/http/recordings.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { opcodes } from "../harness/peers/websocket-frames.ts";
import { joinedSamples, recordedSegments } from "../harness/recorded-files.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

/** The server pings after 20 s, and waits 20 s for an answer. */
const waitMs = 20_000;
const slackMs = 4_000;

async function open(server: TestServer, hwid: string): Promise<IngestDevice> {
  const device = await IngestDevice.open(server.httpBase, pcmFormat, hwid);
  for (let frame = 0; frame < 3; frame++) device.send(countingPayload(frame * 320, 320));
  return device;
}

test("a device that is gone is pinged and then closed, and one that answers stays", async () => {
  await using server = await TestServer.start({ flags: { "rotate-seconds": 3600, "sync-seconds": 1 } });
  const gone = await open(server, "gone");
  const startMs = performance.now();
  const quiet = await open(server, "quiet");
  const busy = await open(server, "busy");
  const sending = setInterval(() => busy.send(countingPayload(busy.seq * 320, 320)), 1_000);
  const pings = await Promise.all([gone, quiet].map((device) => device.socket.next(waitMs + slackMs)));
  expect(pings.map(({ opcode }) => opcode)).toEqual([opcodes.ping, opcodes.ping]);
  expect(performance.now() - startMs).toBeGreaterThan(waitMs - slackMs);
  quiet.socket.frame({ opcode: opcodes.pong, payload: pings[1]!.payload });
  const { code, reason } = await gone.closed(waitMs + slackMs);
  expect([code, reason]).toEqual([1013, "peer does not answer pings"]);
  expect(performance.now() - startMs).toBeGreaterThan(2 * waitMs - slackMs);

  const [listed] = await until("the recording's entry", 10_000, async () => {
    const recordings = await allRecordings(server.httpBase);
    return recordings.length > 0 && recordings;
  });
  expect([listed!.device, listed!.frames, listed!.samples]).toEqual(["gone", 3, 960]);
  expect(joinedSamples(recordedSegments(join(server.folder, "received", "gone"))).length).toBe(960);
  await server.untilLogged("a device is disconnected");

  clearInterval(sending);
  expect(busy.socket.received).toEqual([]);
  for (const device of [quiet, busy]) {
    device.send(countingPayload(device.seq * 320, 320));
    // The quiet device has been pinged once more by now.
    device.socket.close(1000);
    await until("the close", 5_000, () => device.socket.received.at(-1)?.opcode === opcodes.close);
  }
  // A device that was silent for long goes on in a new recording.
  await until("the recordings", 10_000, async () => {
    const recordings = await allRecordings(server.httpBase);
    const framesOf = (hwid: string) =>
      recordings.reduce((sum, { device, frames }) => sum + (device === hwid ? frames : 0), 0);
    return framesOf("quiet") === 4 && framesOf("busy") === busy.seq;
  });
  const samples = ["quiet", "busy"].map((hwid) =>
    joinedSamples(recordedSegments(join(server.folder, "received", hwid))),
  );
  expect(samples.map(({ length }) => length / 320)).toEqual([4, busy.seq]);
  for (const each of samples) expect(isCounting(each)).toBe(true);
});
