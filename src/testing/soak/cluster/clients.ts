/** Clients of streams: they upload, read and remove, mostly through the load balancer, and try again whatever fails. */
import type { Random } from "../../harness/bytes.ts";
import { until } from "../../harness/until.ts";
import type { Findings } from "./findings.ts";
import { type ClusterLedger, audioOf, type Sent } from "./ledger.ts";
import type { Places } from "./places.ts";
import { reads, wholeRead, type Read } from "./reads.ts";
import { CutOff, uploads, WrongAnswer } from "./uploads.ts";

export interface ClientFigures {
  uploads: number;
  /** By the protocol that has acknowledged them. */
  uploadsBy: Record<string, number>;
  /** Uploads that took several attempts. */
  resumed: number;
  reads: number;
  readBytes: number;
  removals: number;
  /** Attempts that failed, by what was said. */
  failures: Record<string, number>;
}

/** An upload that nobody finishes for this long is a fault. */
const patienceMs = 180_000;
/** Once there are so many streams, each upload is followed by a removal. */
const keptStreams = 250;
const removalMs = 10_000;
const removalAttempts = 20;
/** Between two uploads: a machine that is saturated shows slowness alone. */
const pauseMs = [100, 1_500] as const;

export class ClusterClients {
  readonly figures: ClientFigures = {
    uploads: 0,
    uploadsBy: {},
    resumed: 0,
    reads: 0,
    readBytes: 0,
    removals: 0,
    failures: {},
  };
  readonly #places: Places;
  readonly #ledger: ClusterLedger;
  readonly #findings: Findings;
  readonly #random: Random;

  constructor(places: Places, ledger: ClusterLedger, random: Random) {
    this.#places = places;
    this.#ledger = ledger;
    this.#findings = ledger.findings;
    this.#random = random;
  }

  /** Uploads, reads and removes in turn until `isOver`. */
  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.#upload(this.#ledger.next());
      const kept = this.#ledger.of("acknowledged");
      if (kept.length > 0) for (let turn = 0; turn < 2; turn += 1) await this.#read(this.#random.pick(kept));
      if (kept.length > keptStreams || (kept.length > 10 && this.#random.chance(10)))
        await this.#remove(this.#random.pick(kept));
      await Bun.sleep(this.#random.int(...pauseMs));
    }
  }

  /** Reads the whole stream once, at this server. An attempt that fails says nothing. */
  async readAt(sent: Sent, origin: string, where: string): Promise<boolean> {
    return await this.#attempt(wholeRead, sent, origin, where);
  }

  async #read(sent: Sent): Promise<void> {
    const { origin, name } = this.#places.any();
    const [protocol, read] = this.#random.pick(Object.entries(reads));
    await this.#attempt(read, sent, origin, `${protocol} at ${name}`);
  }

  async #attempt(read: Read, sent: Sent, origin: string, where: string): Promise<boolean> {
    const began = performance.now();
    try {
      const answer = await read(origin, sent, this.#random);
      this.figures.reads += 1;
      this.figures.readBytes += answer.body.length;
      this.#ledger.compare(sent, { ...answer, where, began });
      return true;
    } catch (error) {
      // A stream that goes while it is read may have lost its audio first.
      const isGoing = sent.state !== "acknowledged" && String(error).includes("OBJECT_MISSING");
      if (!isGoing) this.#fail("read", error, { sent, where });
      return false;
    }
  }

  async #upload(sent: Sent): Promise<void> {
    const audio = audioOf(sent);
    const attempts: string[] = [];
    try {
      await until(`${sent.id} is acknowledged`, patienceMs, async () => {
        const failure = await this.#send(sent, audio);
        if (failure === undefined) return true;
        attempts.push(failure);
        await Bun.sleep(this.#random.int(20, 500));
        return false;
      });
      sent.state = "acknowledged";
      this.figures.uploads += 1;
      if (attempts.length > 0) this.figures.resumed += 1;
    } catch (error) {
      this.#findings.add(String(error), { sent, attempts: attempts.slice(-10) });
    }
  }

  /** One attempt; what it failed by. */
  async #send(sent: Sent, audio: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
    const { origin, name } = this.#places.any();
    const [protocol, upload] = this.#random.pick(Object.entries(uploads));
    const stopsAt = this.#random.chance(15) ? this.#random.int(0, sent.size) : Infinity;
    const by = `${protocol} at ${name}`;
    try {
      const random = this.#random;
      const digest = await upload({ origin, sent, audio, until: stopsAt, random });
      if (digest !== null && digest !== sent.sha256)
        throw new WrongAnswer(`acknowledged with SHA-256 ${digest}`);
      if (digest === null && !(await this.#isFinished(sent, origin))) return `${by}: not finished`;
      this.#acknowledge(sent, protocol, by);
      return undefined;
    } catch (error) {
      if (error instanceof WrongAnswer) this.#findings.add(`${sent.id}: ${error.message}, ${by}`, { sent });
      if (!(error instanceof CutOff)) this.#fail(protocol, error, { sent, by });
      // The answer to an earlier attempt may have been lost.
      if (await this.#isFinished(sent, origin)) return void this.#acknowledge(sent, "lost answer", by);
      return `${by}: ${String(error)}`;
    }
  }

  #acknowledge(sent: Sent, protocol: string, by: string): void {
    sent.by = by;
    this.figures.uploadsBy[protocol] = (this.figures.uploadsBy[protocol] ?? 0) + 1;
  }

  async #isFinished(sent: Sent, origin: string): Promise<boolean> {
    const { id } = sent;
    const signal = AbortSignal.timeout(removalMs);
    const answer = await fetch(`${origin}/api/streams/${id}`, { signal }).catch(() => undefined);
    if (!answer?.ok) return false;
    const found = (await answer.json()) as { state: string; sha256: string | null };
    if (found.state !== "finished") return false;
    if (found.sha256 !== sent.sha256)
      this.#findings.add(`${id} was finished with other audio`, { sent, found });
    return found.sha256 === sent.sha256;
  }

  /** By any server, until one has acknowledged it: what an attempt without an answer has done is known by the next. */
  async #remove(sent: Sent): Promise<void> {
    if (sent.state !== "acknowledged") return;
    sent.state = "removing";
    for (let attempt = 0; attempt < removalAttempts && sent.state === "removing"; attempt += 1) {
      const answer = await this.#ask(`${this.#places.any().origin}/api/streams/${sent.id}`, "DELETE");
      if (answer === "204" || (attempt > 0 && answer.startsWith("404"))) this.#removed(sent);
      else await Bun.sleep(this.#random.int(...pauseMs));
    }
  }

  #removed(sent: Sent): void {
    sent.state = "removed";
    sent.removedAt = performance.now();
    this.figures.removals += 1;
  }

  /** The status, and the code of an error. */
  async #ask(url: string, method: string): Promise<string> {
    try {
      const answer = await fetch(url, { method, signal: AbortSignal.timeout(removalMs) });
      const code = /"code":"(\w+)"/.exec(await answer.text())?.[1];
      if (!answer.ok) this.#fail("removal", `${answer.status} ${code}`, { url });
      return code === undefined ? String(answer.status) : `${answer.status} ${code}`;
    } catch (error) {
      this.#fail("removal", error, { url });
      return String(error);
    }
  }

  #fail(what: string, error: unknown, details: object): void {
    const said = (error instanceof Error ? error.message : String(error)).slice(0, 90);
    const reason = `${what}: ${said.replaceAll(/cluster-\d+|\d{3,}(?= of| bytes|;)/g, "N")}`;
    this.figures.failures[reason] = (this.figures.failures[reason] ?? 0) + 1;
    // Whatever fails here is another machine, for which there are errors that say so.
    if (/\b500\b|INTERNAL|STORE_FAILED|OBJECT_DAMAGED/.test(said))
      this.#findings.add(`${what}: ${said}`, { ...details, at: new Date() });
  }
}
