/** Recordings whose files were removed by hand, to make room: there is no other way to remove one. */
import { expect, test } from "bun:test";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { allRecordings, type ListedRecording } from "../harness/http/recordings.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const removedLine = /recordings without files are no longer listed/g;
const pathOf = (server: TestServer, { path }: ListedRecording["bin"]) =>
  join(server.folder, "received", path);

/** Records one segment a device. */
async function record(server: TestServer, hwids: string[]): Promise<ListedRecording[]> {
  for (const hwid of hwids) {
    using device = await IngestDevice.open(server.httpBase, pcmFormat, hwid);
    for (let frame = 0; frame < 10; frame++) device.send(countingPayload(frame * 320, 320));
    await device.close();
  }
  return await until("the recordings to be listed", 10_000, async () => {
    const listed = await allRecordings(server.httpBase);
    return listed.length === hwids.length ? listed : undefined;
  });
}

test("recordings without files leave the list at once, with one warning", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  await record(server, ["shed", "attic", "shed", "cellar"]);
  rmSync(join(server.folder, "received", "shed"), { recursive: true });
  const devices = async (limit: number) =>
    (await allRecordings(server.httpBase, "", limit)).map(({ device }) => device);
  expect(await devices(1)).toEqual(["attic", "cellar"]);
  expect(await devices(1000)).toEqual(["attic", "cellar"]);
  await server.restart();
  expect(await devices(1000)).toEqual(["attic", "cellar"]);
  expect(server.log.match(removedLine)).toBeNull();
});

test("the background finds recordings without files while nobody lists them", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  await record(server, ["shed", "attic"]);
  rmSync(join(server.folder, "received", "shed"), { recursive: true });
  await until("the warning", 10_000, () => /no longer listed.* count=1 first=shed\//.test(server.log));
  expect(server.log.match(removedLine)?.length).toBe(1);
});

test("a recording of which one file is missing stays listed, and says which", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  const [shed, attic] = await record(server, ["shed", "attic"]);
  rmSync(pathOf(server, shed!.wav));
  rmSync(pathOf(server, attic!.bin));
  const missing = async () => (await allRecordings(server.httpBase)).map((each) => each.missing);
  expect(await missing()).toEqual([["wav"], ["bin"]]);
  await server.restart();
  expect(existsSync(pathOf(server, shed!.bin))).toBe(true);
  expect(await missing()).toEqual([["wav"], ["bin"]]);
});

test("recordings of a folder that is gone as a whole stay in the catalog: its disk may come back", async () => {
  await using server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  const recorded = await record(server, ["shed", "attic"]);
  const folder = join(server.folder, "received");
  renameSync(folder, `${folder}.away`);
  expect(await allRecordings(server.httpBase)).toEqual(recorded);
  await until("the loss to be noticed", 10_000, () =>
    /recordings folder was removed or replaced/.test(server.log),
  );
  expect(await allRecordings(server.httpBase)).toEqual(recorded);
  await server.stop();
  renameSync(`${folder}.away`, folder);
  await server.restart();
  expect(await allRecordings(server.httpBase)).toEqual(recorded);
});
