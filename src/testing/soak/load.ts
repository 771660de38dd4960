/**
 * The load of a round: uploads over both protocols, devices that record, readers, and somebody who removes streams, all
 * until the server dies. An actor may fail because the server has died; any other failure is a fault.
 */
import { type Random, sha256 } from "../harness/bytes.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { openDevices, type RecordedDevice, sendInRealTime } from "../harness/recording-ledger.ts";
import type { TestServer } from "../harness/server.ts";
import { within } from "../harness/until.ts";
import { BrokenPromise, type Upload, type UploadLedger } from "../harness/upload-ledger.ts";
import type { Crash } from "./crash.ts";

const uploadersOfEach = 2;
const devices = 6;
/** Keep this many acknowledged streams from removal, so that each round has something to lose. */
const keptStreams = 60;
/** Interrupted uploads that a round does not resume, of a hundred: some age over several crashes. */
const leftAlonePercent = 20;
/** Time for an actor to notice that the server is dead. */
const noticeMs = 5_000;
const killedCode = 128 + 9;

export interface LoadOutcome {
  reads: number;
  /** What these devices have sent is to be judged after the next start. */
  recorded: RecordedDevice[];
  faults: string[];
}

export class Load {
  readonly #server: TestServer;
  readonly #ledger: UploadLedger;
  readonly #random: Random;
  readonly #round: number;
  readonly #outcome: LoadOutcome = { reads: 0, recorded: [], faults: [] };
  #isOver = false;

  constructor(server: TestServer, ledger: UploadLedger, random: Random, round: number) {
    this.#server = server;
    this.#ledger = ledger;
    this.#random = random;
    this.#round = round;
  }

  /** Runs until the server is dead, by this crash. */
  async run(crash: Crash): Promise<LoadOutcome> {
    const leftOver = this.#leftOver();
    const actors = [
      ...Array.from({ length: uploadersOfEach }, (_, index) => this.#uploadLegacy(leftOver[index]!)),
      ...Array.from({ length: uploadersOfEach }, (_, index) =>
        this.#uploadV1(leftOver[uploadersOfEach + index]!),
      ),
      this.#record(),
      this.#readLegacy(),
      this.#readV1(),
      this.#remove(),
    ];
    await this.#killBy(crash);
    this.#isOver = true;
    const outcomes = await within("the end of the load", noticeMs, Promise.allSettled(actors));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") this.#outcome.faults.push(String(outcome.reason));
    }
    return this.#outcome;
  }

  /** The interrupted uploads of earlier rounds, shared among the uploaders. */
  #leftOver(): Upload[][] {
    const open = this.#ledger.unacknowledged.filter(() => !this.#random.chance(leftAlonePercent));
    const uploaders = 2 * uploadersOfEach;
    return Array.from({ length: uploaders }, (_, index) => open.filter((_, at) => at % uploaders === index));
  }

  async #killBy({ afterMs, acknowledgements }: Crash): Promise<void> {
    const deadline = performance.now() + afterMs;
    const wanted = this.#ledger.acknowledgements + acknowledgements;
    while (this.#server.isRunning && performance.now() < deadline) {
      if (this.#ledger.acknowledgements >= wanted) break;
      await Bun.sleep(1);
    }
    await this.#server.kill9();
  }

  /** Connects and acts until the server dies. An error on a connection that is still open is a fault. */
  async #untilDeath<P extends Disposable>(
    what: string,
    connect: () => Promise<P>,
    isOpen: (peer: P) => boolean,
    act: (peer: P) => Promise<void>,
  ): Promise<void> {
    let wasOpen = false;
    try {
      using peer = await connect();
      await act(peer).catch((error: unknown) => {
        wasOpen = isOpen(peer);
        throw error;
      });
    } catch (error) {
      const isFault = wasOpen || error instanceof BrokenPromise || !(await this.#diesNow());
      if (isFault) throw new Error(`${what}: ${String(error)}`, { cause: error });
    }
  }

  async #diesNow(): Promise<boolean> {
    const exit = this.#server.waitForExit(noticeMs);
    return (await exit.catch(() => undefined)) === killedCode;
  }

  #legacy(what: string, act: (peer: AudioCachePeer) => Promise<void>): Promise<void> {
    const connect = () => AudioCachePeer.open(this.#server.url);
    return this.#untilDeath(what, connect, ({ socket }) => socket.isOpen, act);
  }

  #v1(what: string, act: (peer: V1Peer) => Promise<void>): Promise<void> {
    const connect = () => V1Peer.open(this.#server.url, { revision: 2 });
    return this.#untilDeath(what, connect, (peer) => peer.socket.isOpen && !peer.isOver, act);
  }

  #uploadLegacy(leftOver: Upload[]): Promise<void> {
    return this.#legacy("upload", async (peer) => {
      for (const upload of leftOver) await this.#ledger.run(peer, upload);
      while (!this.#isOver) await this.#ledger.run(peer, this.#ledger.newUpload());
    });
  }

  #uploadV1(leftOver: Upload[]): Promise<void> {
    return this.#v1("upload over v1", async (peer) => {
      let channel = 0;
      for (const upload of leftOver) await this.#ledger.runV1(peer, ++channel, upload);
      while (!this.#isOver) await this.#ledger.runV1(peer, ++channel, this.#ledger.newUpload());
    });
  }

  async #record(): Promise<void> {
    try {
      const recorded = await openDevices(this.#server, `r${this.#round}`, devices);
      this.#outcome.recorded = recorded;
      await Promise.all(recorded.map((each) => sendInRealTime(each, Infinity, this.#random)));
      for (const { device } of recorded) device[Symbol.dispose]();
    } catch (error) {
      if (!(await this.#diesNow())) throw error;
    }
  }

  #readLegacy(): Promise<void> {
    return this.#legacy("read", (peer) =>
      this.#readAll(async ({ id, audio }) => await peer.download(id, audio.length)),
    );
  }

  #readV1(): Promise<void> {
    return this.#v1("read over v1", async (peer) => {
      let channel = 0;
      await this.#readAll(async ({ id }) => (await peer.read(++channel, id)).audio);
    });
  }

  async #readAll(read: (upload: Upload) => Promise<Uint8Array>): Promise<void> {
    const { beingRead } = this.#ledger;
    while (!this.#isOver) {
      // Reading an empty stream waits for nothing: without this pause, nobody else would run.
      await Bun.sleep(1);
      const candidates = this.#ledger.kept.filter((upload) => !beingRead.has(upload));
      if (candidates.length === 0) continue;
      const upload = this.#random.pick(candidates);
      beingRead.add(upload);
      try {
        const audio = await read(upload);
        if (sha256(audio) !== upload.sha256) throw new BrokenPromise(`${upload.id} has other audio`);
        this.#outcome.reads += 1;
      } finally {
        beingRead.delete(upload);
      }
    }
  }

  async #remove(): Promise<void> {
    try {
      while (!this.#isOver) {
        if (this.#ledger.kept.length > keptStreams) await this.#ledger.removeOne(this.#server);
        else await Bun.sleep(1);
      }
    } catch (error) {
      if (error instanceof BrokenPromise || !(await this.#diesNow())) throw error;
    }
  }
}
