/** Listeners of devices over the live WebSocket and as Opus, each at some server, mostly another one than the device's. */
import { OggOpusParser } from "../../../../codec/ogg/ogg-opus.ts";
import { decodeLiveAudio } from "../../../../wire/live.ts";
import type { Random } from "../../../harness/bytes.ts";
import { until } from "../../../harness/until.ts";
import type { Findings } from "../findings.ts";
import type { TroubleJournal } from "../journal.ts";
import type { Place, Places } from "../places.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { ClusterDevices } from "./devices.ts";

/** How long a listener stays. */
const staysMs = [2_000, 20_000] as const;
const pauseMs = [100, 1_000] as const;
/** Audio may be missing in a feed for so long after something happened. */
const afterTroubleMs = 15_000;
const hearLimitMs = 60_000;
const opusLimitMs = 15_000;

export class ClusterListeners {
  /** Of audio that was heard. */
  seconds = 0;
  opusPackets = 0;
  /** Gaps in what was heard, all of them around something that happened or announced. */
  gaps = 0;
  readonly #devices: ClusterDevices;
  readonly #places: Places;
  readonly #journal: TroubleJournal;
  readonly #findings: Findings;
  readonly #random: Random;

  constructor(
    devices: ClusterDevices,
    places: Places,
    journal: TroubleJournal,
    findings: Findings,
    random: Random,
  ) {
    this.#devices = devices;
    this.#places = places;
    this.#journal = journal;
    this.#findings = findings;
    this.#random = random;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const ledger = this.#devices.ledgers.at(this.#random.int(0, this.#devices.ledgers.length) - 1);
      if (ledger !== undefined) {
        const place = this.#places.server();
        if (this.#random.chance(20)) await this.#hearOpus(ledger, place);
        else await this.#listen(ledger, place, isOver);
      }
      await Bun.sleep(this.#random.int(...pauseMs));
    }
  }

  /** Every device that sends can be heard at every server now, whatever happened before. */
  async hearEverywhere(ledgers: readonly DeviceLedger[]): Promise<void> {
    const places = this.#places.servers;
    await Promise.all(ledgers.flatMap((ledger) => places.map((place) => this.#hearNow(ledger, place))));
  }

  async #listen(ledger: DeviceLedger, place: Place, isOver: () => boolean): Promise<void> {
    using feed = this.#open(ledger, place);
    const leavesAt = performance.now() + this.#random.int(...staysMs);
    while (!isOver() && performance.now() < leavesAt && !feed.isClosed) await Bun.sleep(50);
    this.seconds += feed.samples / ledger.audio.format.sampleRate;
    this.gaps += feed.gaps;
  }

  async #hearNow(ledger: DeviceLedger, place: Place): Promise<void> {
    const from = ledger.end;
    const hears = async () => {
      using feed = this.#open(ledger, place);
      await until("audio", 5_000, () => feed.isClosed || feed.heardUpTo > from).catch(() => undefined);
      return feed.heardUpTo > from;
    };
    await until(`${ledger.name} is heard at ${place.name}`, hearLimitMs, hears).catch((error: unknown) => {
      this.#findings.add(String(error), { from, connections: ledger.connections.slice(-2).map(summaryOf) });
    });
  }

  #open(ledger: DeviceLedger, place: Place): Feed {
    return new Feed(ledger, place, this.#journal, this.#findings);
  }

  async #hearOpus(ledger: DeviceLedger, { origin }: Place): Promise<void> {
    const parser = new OggOpusParser();
    try {
      const signal = AbortSignal.timeout(opusLimitMs);
      const answer = await fetch(`${origin}/live/${ledger.name}.opus`, { signal });
      if (!answer.ok) return;
      for await (const chunk of answer.body!)
        for (const { packets } of parser.push(new Uint8Array(chunk))) this.opusPackets += packets.length;
    } catch {
      // The listener leaves after a while, or its server does.
    }
  }
}

/** One connection of a listener, which compares what it hears with what the device has sent. */
class Feed implements Disposable {
  /** A channel. */
  samples = 0;
  gaps = 0;
  /** Position after the last sample. */
  heardUpTo = 0;
  isClosed = false;
  readonly #socket: WebSocket;
  readonly #ledger: DeviceLedger;
  readonly #journal: TroubleJournal;
  readonly #findings: Findings;
  readonly #where: string;

  constructor(ledger: DeviceLedger, place: Place, journal: TroubleJournal, findings: Findings) {
    this.#ledger = ledger;
    this.#journal = journal;
    this.#findings = findings;
    this.#where = `${ledger.name} heard at ${place.name}`;
    this.#socket = new WebSocket(`${place.origin.replace("http", "ws")}/live/${ledger.name}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => this.#take(new Uint8Array(data as ArrayBuffer));
    this.#socket.onclose = () => void (this.isClosed = true);
    this.#socket.onerror = () => void (this.isClosed = true);
  }

  #take(message: Uint8Array): void {
    const decoded = decodeLiveAudio(message);
    if (decoded === undefined) return this.#findings.add(`${this.#where}: a message that is none`);
    const { pcm, skipped } = decoded;
    for (const run of this.#ledger.audio.runs(new Int16Array(pcm.slice().buffer))) {
      if (!this.#ledger.hasSent(run)) this.#findings.add(`${this.#where}: samples that were never sent`, run);
      if (this.heardUpTo > 0 && run.first !== this.heardUpTo) this.#noteGap(run.first, skipped);
      this.samples += run.count;
      this.heardUpTo = run.first + run.count;
    }
  }

  /** Audio that is missing is announced, or something happened; audio that was heard does not come again. */
  #noteGap(first: number, skipped: number): void {
    this.gaps += 1;
    const gap = { heardUpTo: this.heardUpTo, first, skipped };
    if (first < this.heardUpTo) return this.#findings.add(`${this.#where}: samples are heard twice`, gap);
    const now = performance.now();
    const troubles = this.#journal.between(["kill", "freeze", "link"], now - afterTroubleMs, now);
    if (skipped === 0 && troubles.length === 0) this.#findings.add(`${this.#where}: an unannounced gap`, gap);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function summaryOf({ machine, state, sentAt }: DeviceLedger["connections"][number]): object {
  return { machine, state, frames: sentAt.length };
}
