/** What was acknowledged to the clients of a cluster, whichever server did it, and what they may see of it. */
import { type Random, sha256 } from "../../harness/bytes.ts";

export interface Sent {
  readonly id: string;
  readonly audio: Uint8Array;
  readonly sha256: string;
  state: "sending" | "acknowledged" | "removing" | "removed";
}

const sizes = [0, 1, 5_000, 100_000, 700_000, 3_000_000];

export class ClusterLedger {
  readonly faults: string[] = [];
  readonly #random: Random;
  readonly #all = new Map<string, Sent>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** One in five repeats the audio of an earlier one. */
  next(): Sent {
    const earlier = [...this.#all.values()];
    const audio =
      earlier.length > 0 && this.#random.chance(20)
        ? this.#random.pick(earlier).audio
        : this.#random.bytes(this.#random.pick(sizes));
    const id = `cluster-${this.#all.size + 1}`;
    const sent: Sent = { id, audio, sha256: sha256(audio), state: "sending" };
    this.#all.set(id, sent);
    return sent;
  }

  of(state: Sent["state"]): Sent[] {
    return [...this.#all.values()].filter((each) => each.state === state);
  }

  get bytes(): number {
    return this.of("acknowledged").reduce((sum, { audio }) => sum + audio.length, 0);
  }

  /** A complete answer to a read. Whatever fails on the way is none. */
  compare(sent: Sent, status: number, body: Uint8Array, where: string): void {
    if (status === 200 && sha256(body) !== sent.sha256)
      this.faults.push(
        `${where}: ${sent.id} has ${body.length} other bytes, not the ${sent.audio.length} sent`,
      );
    if (status === 404 && sent.state === "acknowledged")
      this.faults.push(`${where}: ${sent.id} was acknowledged, and is not found`);
    if (status === 200 && sent.state === "removed")
      this.faults.push(`${where}: ${sent.id} was removed, and is there`);
  }
}
