/** Clients of a cluster: they know the address of the load balancer alone, and try again whatever fails. */
import type { Random } from "../../harness/bytes.ts";
import { AudioCachePeer } from "../../harness/peers/audio-cache.ts";
import { until } from "../../harness/until.ts";
import type { ClusterLedger, Sent } from "./ledger.ts";

export interface ClientFigures {
  uploads: number;
  reads: number;
  removals: number;
  /** Attempts that failed. */
  failures: number;
}

const attemptMs = 20_000;
/** An upload that nobody finishes for this long is a fault. */
const patienceMs = 180_000;

export class ClusterClients {
  readonly figures: ClientFigures = { uploads: 0, reads: 0, removals: 0, failures: 0 };
  readonly #origin: string;
  readonly #ledger: ClusterLedger;
  readonly #random: Random;

  constructor(origin: string, ledger: ClusterLedger, random: Random) {
    this.#origin = origin;
    this.#ledger = ledger;
    this.#random = random;
  }

  /** Uploads, reads and removes in turn until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#upload(this.#ledger.next());
      const kept = this.#ledger.of("acknowledged");
      for (const sent of kept.length === 0 ? [] : [this.#random.pick(kept), this.#random.pick(kept)])
        await this.read(sent, this.#origin, "while servers fail");
      if (this.#random.chance(10) && kept.length > 10) await this.#remove(this.#random.pick(kept));
    }
  }

  /** Reads once; an attempt that fails says nothing. */
  async read(sent: Sent, origin: string, where: string): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(attemptMs);
      const answer = await fetch(`${origin}/api/streams/${sent.id}/audio`, { signal });
      const body = new Uint8Array(await answer.arrayBuffer());
      this.figures.reads += 1;
      this.#ledger.compare(sent, answer.status, body, where);
      return answer.status === 200 || answer.status === 404;
    } catch {
      this.figures.failures += 1;
      return false;
    }
  }

  async #upload(sent: Sent): Promise<void> {
    const byHttp = this.#random.chance(50);
    const send = () => (byHttp ? this.#put(sent) : this.#stream(sent));
    try {
      await until(`${sent.id} is acknowledged`, patienceMs, async () => {
        const isDone = await send().catch(() => false);
        if (!isDone) {
          this.figures.failures += 1;
          await Bun.sleep(this.#random.int(20, 500));
        }
        return isDone;
      });
      sent.state = "acknowledged";
      this.figures.uploads += 1;
    } catch (error) {
      this.#ledger.faults.push(String(error));
    }
  }

  /** A whole upload by PUT. An attempt whose answer was lost may have finished the stream. */
  async #put({ id, audio, sha256 }: Sent): Promise<boolean> {
    const url = `${this.#origin}/api/streams/${id}`;
    const signal = AbortSignal.timeout(attemptMs);
    const answer = await fetch(`${url}/audio`, { method: "PUT", body: new Uint8Array(audio), signal });
    if (answer.status === 201 || answer.status === 200) return true;
    if (answer.status !== 409) return false;
    const found = await fetch(url, { signal });
    return found.ok && ((await found.json()) as { sha256: string | null }).sha256 === sha256;
  }

  /** The old WebSocket protocol, which resumes where the server says. */
  async #stream({ id, audio, sha256 }: Sent): Promise<boolean> {
    using peer = await AudioCachePeer.open(`${this.#origin.replace("http", "ws")}/audio`);
    const offset = await peer.resume(id);
    for (const piece of this.#random.pieces(audio.subarray(offset), 200_000)) {
      peer.socket.binary(piece);
      await peer.socket.flush();
    }
    const stopped = await peer.stop(id, attemptMs);
    return stopped.sha256 === sha256;
  }

  async #remove(sent: Sent): Promise<void> {
    sent.state = "removing";
    const signal = AbortSignal.timeout(attemptMs);
    const url = `${this.#origin}/api/streams/${sent.id}`;
    const answer = await fetch(url, { method: "DELETE", signal }).catch(() => undefined);
    // Only the server that has the stream removes it; the load balancer does not know which one that is.
    if (answer?.status === 503) sent.state = "acknowledged";
    if (answer?.status !== 204) return;
    sent.state = "removed";
    this.figures.removals += 1;
  }
}
