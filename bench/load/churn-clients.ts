/**
 * Clients that come and go: each connects, uploads, and leaves in one of three ways, again and again; what it leaves on
 * the server is removed at once, so that nothing there has a reason to grow.
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

/** Runs `clients` of them until `isOver`, each to the end of what it is doing. */
export async function churn(
  server: { url: string; httpBase: string },
  clients: number,
  streamBytes: number,
  isOver: () => boolean,
): Promise<ChurnCounts> {
  const counts: ChurnCounts = { finished: 0, unfinished: 0, cut: 0, errors: [] };
  const audio = new Random(1).bytes(streamBytes);
  const run = async (client: number) => {
    for (let turn = 0; !isOver() && counts.errors.length === 0; turn += 1) {
      const leaving = leavings[(client + turn) % leavings.length]!;
      const streamId = `churn-${process.pid}-${client}-${turn}`;
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
      if (!back.equals(audio)) throw new Error("other audio came back");
    }
    if (leaving === "cut") peer.socket.reset();
    else await peer.close();
  } finally {
    peer.socket[Symbol.dispose]();
  }
  await until("the stream could be removed", removeLimitMs, async () => {
    const status = await removeStream(httpBase, streamId);
    // The server may not have noticed yet that the connection is gone.
    if (status === 409) return false;
    if (status !== 204) throw new Error(`its removal was answered with ${status}`);
    return true;
  });
}
