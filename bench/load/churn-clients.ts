/**
 * Clients that connect, upload, and disconnect in one of three ways, over and over. Each removes its stream at once, so
 * that nothing on the server has a reason to grow.
 */
import { AudioCachePeer } from "../../src/testing/harness/peers/audio-cache.ts";
import { Random } from "../../src/testing/harness/bytes.ts";
import { removeStream } from "../../src/testing/harness/http/streams.ts";
import { until } from "../../src/testing/harness/until.ts";

export type Leaving = "finished" | "unfinished" | "cut";

const leavings: readonly Leaving[] = ["finished", "unfinished", "cut"];
const frameBytes = 16 * 1024;
const removeLimitMs = 10_000;

export interface ChurnCounts {
  finished: number;
  unfinished: number;
  cut: number;
  errors: string[];
}

/** Runs `clients` clients until `isOver`; each completes its current upload. */
export async function churn(
  server: { url: string; httpBase: string },
  clients: number,
  streamBytes: number,
  isOver: () => boolean,
): Promise<ChurnCounts> {
  const counts: ChurnCounts = { finished: 0, unfinished: 0, cut: 0, errors: [] };
  const audio = new Random(1).bytes(streamBytes);
  const run = async (client: number) => {
    for (let upload = 0; !isOver() && counts.errors.length === 0; upload += 1) {
      const leaving = leavings[(client + upload) % leavings.length]!;
      const streamId = `churn-${process.pid}-${client}-${upload}`;
      try {
        await visit(server, streamId, audio, leaving);
        counts[leaving] += 1;
      } catch (error) {
        counts.errors.push(`${streamId} (${leaving}): ${error instanceof Error ? error.message : error}`);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => run(client)));
  return counts;
}

async function visit(
  { url, httpBase }: { url: string; httpBase: string },
  streamId: string,
  audio: Uint8Array,
  leaving: Leaving,
): Promise<void> {
  const peer = await AudioCachePeer.open(url);
  try {
    await peer.start(streamId);
    await peer.sendAudio(audio, frameBytes);
    if (leaving === "finished") {
      await peer.stop(streamId);
      const back = await peer.download(streamId, audio.length, frameBytes);
      if (!back.equals(audio)) throw new Error("the audio differs");
    }
    if (leaving === "cut") peer.socket.reset();
    else await peer.close();
  } finally {
    peer.socket[Symbol.dispose]();
  }
  await until("the stream could be removed", removeLimitMs, async () => {
    const status = await removeStream(httpBase, streamId);
    // The server may not have noticed the disconnect yet.
    if (status === 409) return false;
    if (status !== 204) throw new Error(`its removal failed with status ${status}`);
    return true;
  });
}
