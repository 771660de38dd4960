/** What was acknowledged to the clients of a cluster, whichever server did it, and what they may see of it. */
import { Random, sha256 } from "../../harness/bytes.ts";
import type { Findings } from "./findings.ts";
import type { TroubleJournal } from "./journal.ts";

export interface Sent {
  readonly id: string;
  /** Its audio is made of this, again whenever it is needed. */
  readonly seed: number;
  readonly size: number;
  readonly sha256: string;
  state: "sending" | "acknowledged" | "removing" | "removed";
  /** What has acknowledged it: protocol and address. */
  by?: string;
  /** By this process's clock, in ms. */
  removedAt?: number;
}

/** A complete answer to a read. Whatever fails on the way is none. */
export interface Answer {
  outcome: "audio" | "unknown";
  body: Uint8Array;
  /** Of the body, in the stream. */
  offset: number;
  length: number;
  /** Of an answer over HTTP. */
  headers?: Record<string, string>;
  where: string;
  /** When it was asked for, by this process's clock, in ms. */
  began: number;
}

/** Sizes of streams, and how many of a hundred have them. Parts of the archive have 16 MiB. */
const sizes: readonly (readonly [percent: number, bytes: number])[] = [
  [10, 0],
  [10, 1],
  [25, 5_000],
  [20, 100_000],
  [20, 700_000],
  [12, 3_000_000],
  [3, 20_000_000],
];
/** A server notices within this time that another one has removed a stream. */
const noticeMs = 5_000;

export class ClusterLedger {
  readonly findings: Findings;
  readonly #random: Random;
  readonly #journal: TroubleJournal;
  readonly #all: Sent[] = [];

  constructor(random: Random, findings: Findings, journal: TroubleJournal) {
    this.#random = random;
    this.findings = findings;
    this.#journal = journal;
  }

  /** One in five repeats the audio of an earlier one. */
  next(): Sent {
    const repeats = this.#all.length > 0 && this.#random.chance(20);
    const audio = repeats ? this.#random.pick(this.#all) : this.#newAudio();
    const { seed, size, sha256 } = audio;
    const sent: Sent = { id: `cluster-${this.#all.length + 1}`, seed, size, sha256, state: "sending" };
    this.#all.push(sent);
    return sent;
  }

  of(state: Sent["state"]): Sent[] {
    return this.#all.filter((each) => each.state === state);
  }

  /** Of everything that was acknowledged, also of what was removed since. */
  get acknowledged(): { streams: number; bytes: number } {
    const all = this.#all.filter(({ state }) => state !== "sending");
    return { streams: all.length, bytes: all.reduce((sum, { size }) => sum + size, 0) };
  }

  compare(sent: Sent, answer: Answer): void {
    const { outcome } = answer;
    if (outcome === "audio" && !isPart(sent, answer)) this.#fault("other audio", sent, answer);
    if (outcome === "unknown" && sent.state === "acknowledged")
      this.#fault("acknowledged, and not found", sent, answer);
    if (outcome === "audio" && this.#shouldBeGone(sent, answer.began))
      this.#fault("removed, and is there", sent, answer);
  }

  #shouldBeGone({ removedAt = Infinity }: Sent, began: number): boolean {
    // A server that was frozen answers what it was asked before it looks for what others have done.
    const wasFrozen = this.#journal.between(["freeze"], began - noticeMs, performance.now()).length > 0;
    return began > removedAt + noticeMs && !wasFrozen;
  }

  #newAudio(): Pick<Sent, "seed" | "size" | "sha256"> {
    const seed = this.#random.u32();
    let chance = this.#random.int(1, 100);
    const [, size] = sizes.find(([percent]) => (chance -= percent) <= 0)!;
    return { seed, size, sha256: sha256(new Random(seed).bytes(size)) };
  }

  #fault(what: string, sent: Sent, { body, ...answer }: Answer): void {
    const found = { ...answer, length: body.length, sha256: sha256(body) };
    const wanted = audioOf(sent).subarray(answer.offset, answer.offset + answer.length);
    const firstWrong = wanted.findIndex((byte, at) => byte !== body[at]);
    this.findings.add(`${sent.id}: ${what}, ${answer.where}`, {
      sent,
      found,
      wanted: answer.length,
      firstWrong,
    });
  }
}

export function audioOf({ seed, size }: Sent): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Random(seed).bytes(size));
}

function isPart(sent: Sent, { body, offset, length }: Answer): boolean {
  if (offset === 0 && length === sent.size) return sha256(body) === sent.sha256;
  return Buffer.from(body).equals(audioOf(sent).subarray(offset, offset + length));
}
