/**
 * The soak: the server is killed again and again under a mixed load, always on the folder that the crash before left.
 * After each start it is compared with the ledger of everything that it has acknowledged.
 */
import type { Random } from "../harness/bytes.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import {
  lastSentAt,
  longestStall,
  type RecordedDevice,
  recordingFaults,
} from "../harness/recording-ledger.ts";
import { TestServer } from "../harness/server.ts";
import { UploadLedger } from "../harness/upload-ledger.ts";
import { chooseCrash, type Crash } from "./crash.ts";
import { Load } from "./load.ts";

/** What one kill and the start after it came to. */
export interface Round {
  number: number;
  crash: Crash;
  /** Counted over the whole soak. */
  acknowledged: number;
  removed: number;
  /** Counted in this round. */
  reads: number;
  recordings: number;
  unfinished: number;
  /** From the start after the kill until the server was ready. */
  startMs: number;
  faults: string[];
}

export interface SoakOptions {
  kills: number;
  /** The soak ends here, with fewer kills if need be. */
  limitMs: number;
  /** Called after each round. */
  onRound: (round: Round) => void;
}

/** Runs until the last kill, the limit or the first fault. The last round is the one in which every upload finishes. */
export async function soak(random: Random, { kills, limitMs, onRound }: SoakOptions): Promise<Round[]> {
  const end = performance.now() + limitMs;
  await using server = await TestServer.start({ flags: { "rotate-seconds": 1, "sync-seconds": 1 } });
  const run = new Soak(server, random);
  const rounds: Round[] = [];
  while (rounds.length < kills && performance.now() < end) {
    const round = await run.round(rounds.length + 1);
    rounds.push(round);
    onRound(round);
    if (round.faults.length > 0) return rounds;
  }
  rounds.at(-1)?.faults.push(...(await run.finishAll()));
  return rounds;
}

class Soak {
  readonly #server: TestServer;
  readonly #ledger: UploadLedger;
  readonly #random: Random;
  /** The crash for which the running server was started. */
  #crash: Crash;

  constructor(server: TestServer, random: Random) {
    this.#server = server;
    this.#random = random;
    this.#ledger = new UploadLedger(random);
    this.#crash = { ...chooseCrash(random), kind: "any moment", failpoints: "" };
  }

  /** Loads the running server until it dies, starts it for the next crash, and compares it with the ledger. */
  async round(number: number): Promise<Round> {
    const crash = this.#crash;
    const { reads, recorded, faults } = await this.#die(crash, number);
    const log = this.#server.log;
    const startMs = await this.#start(chooseCrash(this.#random));
    faults.push(...(await this.#judge(recorded)));
    if (faults.length > 0)
      faults.push(`the server said, until it died:\n${log}`, `after it:\n${this.#server.log}`);
    const { acknowledgements, removed, unacknowledged } = this.#ledger;
    return {
      number,
      crash,
      acknowledged: acknowledgements,
      removed: removed.size,
      reads,
      recordings: recorded.length,
      unfinished: unacknowledged.length,
      startMs,
      faults,
    };
  }

  /** After the last crash every interrupted upload can still be finished, and then all audio is there. */
  async finishAll(): Promise<string[]> {
    await this.#server.restart({ env: {} });
    using peer = await AudioCachePeer.open(this.#server.url);
    for (const upload of this.#ledger.unacknowledged) await this.#ledger.run(peer, upload);
    return await this.#judge([]);
  }

  async #die(crash: Crash, number: number): ReturnType<Load["run"]> {
    if (crash.kind !== "start") {
      return await new Load(this.#server, this.#ledger, this.#random, number).run(crash);
    }
    await this.#server.kill9();
    await this.#server.killDuringStart(crash.afterMs);
    return { reads: 0, recorded: [], faults: [] };
  }

  async #start(crash: Crash): Promise<number> {
    const began = performance.now();
    this.#crash = crash;
    await this.#server.restart({
      env: crash.failpoints === "" ? {} : { WAVECACHE_FAILPOINTS: crash.failpoints },
    });
    return performance.now() - began;
  }

  async #judge(recorded: RecordedDevice[]): Promise<string[]> {
    const faults = await this.#ledger.faults(this.#server);
    const servedUntil = lastSentAt(recorded) - longestStall(recorded);
    faults.push(...(await recordingFaults(this.#server, recorded, servedUntil)));
    if (faults.length > 0) return faults;
    using peer = await AudioCachePeer.open(this.#server.url);
    return await this.#ledger.unreadable(peer, this.#ledger.kept);
  }
}
