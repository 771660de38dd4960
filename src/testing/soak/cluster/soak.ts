/**
 * Several servers that share their engines: uploads, reads, removals, recordings, listeners and commands, mostly through
 * HAProxy, while servers are killed and frozen, and links and the object store fail. Whatever was acknowledged must be at
 * every server in the end, and what anybody got meanwhile must be right.
 */
import { Random } from "../../harness/bytes.ts";
import { compareEvents, compareStore, readEverywhere, untilDrained } from "./aftermath.ts";
import { ClusterBoard } from "./boards.ts";
import { type ClientFigures, ClusterClients } from "./clients.ts";
import { ClusterFaults, type FaultKind, faultKinds } from "./faults.ts";
import { type Finding, Findings } from "./findings.ts";
import { TroubleJournal } from "./journal.ts";
import { ClusterLedger } from "./ledger.ts";
import { limitsOf, LimitsWatch, type Sizes } from "./limits.ts";
import { type MachineOptions, Machines } from "./machines.ts";
import { Places } from "./places.ts";
import { ClusterDevices } from "./recordings/devices.ts";
import { ClusterListeners } from "./recordings/listeners.ts";
import { Recorded, type RecordedFigures } from "./recordings/recorded.ts";
import { ClusterSongs } from "./songs.ts";

export interface ClusterSoakOptions extends MachineOptions {
  nodes: number;
  clients: number;
  devices: number;
  /** Ends after this long, and not before the fault that is under way. */
  limitMs: number;
  /** Ends after so many faults. */
  maxFaults?: number;
  kinds?: readonly FaultKind[];
  onFault: (line: string) => void;
  onProgress?: (progress: ClusterProgress) => void;
  onFinding?: (finding: Finding) => void;
}

export interface ClusterProgress {
  acknowledged: number;
  bytes: number;
  reads: number;
  recordedSeconds: number;
  heardSeconds: number;
  commands: number;
  faults: number;
  findings: number;
}

export interface ClusterSoakOutcome extends ClientFigures, RecordedFigures {
  happened: Record<string, number>;
  acknowledged: number;
  bytes: number;
  songs: number;
  songReads: number;
  deviceConnections: number;
  sentSeconds: number;
  heardSeconds: number;
  opusPackets: number;
  gapsHeard: number;
  commands: number;
  commandsRefused: number;
  largest: Partial<Sizes>;
  longestStartMs: number;
  findings: readonly string[];
  /** The folder of the servers' logs, if there are findings. */
  logs: string | undefined;
}

/** Between two faults. */
const calmMs = [200, 2_000] as const;
const progressMs = 10_000;
/** Recordings compared at the same time. */
const comparedTogether = 4;

export async function clusterSoak(random: Random, options: ClusterSoakOptions): Promise<ClusterSoakOutcome> {
  await using machines = await Machines.open(options.nodes, options);
  using soak = new ClusterSoak(machines, random, options);
  return await soak.run();
}

class ClusterSoak implements Disposable {
  readonly #machines: Machines;
  readonly #options: ClusterSoakOptions;
  readonly #random: Random;
  readonly #journal = new TroubleJournal();
  readonly #findings: Findings;
  readonly #ledger: ClusterLedger;
  readonly #clients: ClusterClients;
  readonly #songs: ClusterSongs;
  readonly #devices: ClusterDevices;
  readonly #listeners: ClusterListeners;
  readonly #boards: readonly ClusterBoard[];
  readonly #faults: ClusterFaults;
  readonly #limits: LimitsWatch;
  readonly #recorded: Recorded;
  #isOver = false;

  constructor(machines: Machines, random: Random, options: ClusterSoakOptions) {
    this.#machines = machines;
    this.#options = options;
    this.#random = random;
    // At once: the run may be ended by hand.
    const findings = new Findings((finding) => {
      machines.keepLogs();
      options.onFinding?.(finding);
    });
    const places = new Places(machines, random);
    this.#findings = findings;
    this.#ledger = new ClusterLedger(random, findings, this.#journal);
    this.#clients = new ClusterClients(places, this.#ledger, random);
    this.#songs = new ClusterSongs(places, random, findings);
    this.#devices = new ClusterDevices(machines, random);
    this.#listeners = new ClusterListeners(this.#devices, places, this.#journal, findings, random);
    this.#boards = ["board-1", "board-2"].map(
      (name) => new ClusterBoard(name, machines.proxy.grpcPort, places, random, findings),
    );
    const { kinds = faultKinds, onFault } = options;
    this.#faults = new ClusterFaults(machines, this.#journal, findings, random, kinds, onFault);
    this.#limits = new LimitsWatch(machines, limitsOf(options.clients, options.devices), findings);
    this.#recorded = new Recorded(machines, this.#journal, findings);
  }

  async run(): Promise<ClusterSoakOutcome> {
    const progress = setInterval(() => this.#options.onProgress?.(this.#progress), progressMs);
    try {
      const working = Promise.all(this.#work());
      await Promise.race([working, this.#failFor(this.#options.limitMs)]);
      await this.#hearAndObey();
      this.#isOver = true;
      await working;
      await this.#compare();
      return this.#outcome();
    } finally {
      this.#isOver = true;
      clearInterval(progress);
    }
  }

  [Symbol.dispose](): void {
    for (const board of this.#boards) board[Symbol.dispose]();
  }

  #work(): Promise<void>[] {
    const isOver = () => this.#isOver;
    const { clients, devices } = this.#options;
    return [
      ...Array.from({ length: clients }, () => this.#clients.run(isOver)),
      ...Array.from({ length: devices }, (_, number) => this.#devices.run(number, isOver)),
      ...Array.from({ length: devices }, () => this.#listeners.run(isOver)),
      ...this.#boards.map((board) => board.run(isOver)),
      this.#songs.run(isOver),
      this.#limits.run(isOver),
    ];
  }

  async #failFor(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    const { maxFaults = Infinity } = this.#options;
    while (performance.now() < deadline && this.#faults.happened.length < maxFaults) {
      await Bun.sleep(this.#random.int(...calmMs));
      await this.#faults.next();
    }
    await this.#faults.heal();
  }

  /** While devices still send. */
  async #hearAndObey(): Promise<void> {
    const sending = this.#devices.ledgers.filter(({ connections }) => connections.at(-1)?.state === "open");
    await Promise.all([
      this.#listeners.hearEverywhere(sending),
      ...this.#boards.map((board) => board.obeyEverywhere()),
    ]);
  }

  async #compare(): Promise<void> {
    await readEverywhere(this.#machines, this.#ledger, this.#clients);
    await this.#songs.readAll();
    await untilDrained(this.#machines, this.#findings);
    const waiting = [...this.#devices.ledgers];
    const compareInTurn = async () => {
      for (let ledger = waiting.pop(); ledger !== undefined; ledger = waiting.pop())
        await this.#recorded.compare(ledger);
    };
    await Promise.all(Array.from({ length: comparedTogether }, compareInTurn));
    await compareStore(this.#machines, this.#ledger);
    await compareEvents(this.#machines, this.#ledger);
  }

  get #progress(): ClusterProgress {
    const { streams, bytes } = this.#ledger.acknowledged;
    return {
      acknowledged: streams,
      bytes,
      reads: this.#clients.figures.reads,
      recordedSeconds: this.#devices.seconds,
      heardSeconds: this.#listeners.seconds,
      commands: this.#boards.reduce((sum, { commands }) => sum + commands, 0),
      faults: this.#faults.happened.length,
      findings: this.#findings.all.length,
    };
  }

  #outcome(): ClusterSoakOutcome {
    const { acknowledged, bytes, heardSeconds, commands, recordedSeconds } = this.#progress;
    const happened = Map.groupBy(this.#faults.happened, (what) => what);
    const findings = this.#findings.lines;
    return {
      ...this.#clients.figures,
      ...this.#recorded.figures,
      happened: Object.fromEntries(Array.from(happened, ([what, all]) => [what, all.length])),
      acknowledged,
      bytes,
      songs: this.#songs.count,
      songReads: this.#songs.reads,
      deviceConnections: this.#devices.connections,
      sentSeconds: recordedSeconds,
      heardSeconds,
      opusPackets: this.#listeners.opusPackets,
      gapsHeard: this.#listeners.gaps,
      commands,
      commandsRefused: this.#boards.reduce((sum, { refused }) => sum + refused, 0),
      largest: this.#limits.largest,
      longestStartMs: Math.max(...this.#machines.all.map((machine) => machine.longestStartMs)),
      findings,
      logs: findings.length > 0 ? this.#machines.keepLogs() : undefined,
    };
  }
}
