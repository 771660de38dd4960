/** Records audio of a device at a server, for tests of what happens to it afterwards. */
import { allRecordings, type ListedRecording } from "./http/recordings.ts";
import { countingPayload, type DeviceFormat, IngestDevice, pcmFormat } from "./peers/ingest-device.ts";
import type { TestServer } from "./server.ts";
import { until } from "./until.ts";

const limitMs = 15_000;

/** Frames of a counting signal, in one segment unless the server splits it. Resolves with what was listed by then. */
export async function recordCounting(
  server: TestServer,
  device: string,
  frames: number,
  format: DeviceFormat = pcmFormat,
): Promise<ListedRecording[]> {
  const recorded = () => allRecordings(server.httpBase, `device=${device}`);
  const before = await recorded();
  using peer = await IngestDevice.open(server.httpBase, format, device);
  const samples = format.frameSamples * format.channels;
  for (let frame = 0; frame < frames; frame += 1) peer.send(countingPayload(frame * samples, samples));
  await peer.close();
  return await until("the recording in the list", limitMs, async () => {
    const found = await recorded();
    return framesOf(found) === framesOf(before) + frames ? found.slice(before.length) : undefined;
  });
}

function framesOf(all: readonly ListedRecording[]): number {
  return all.reduce((sum, { frames }) => sum + frames, 0);
}
