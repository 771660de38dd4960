/** One worker thread behind a lane, seen from the main thread. */
import { allocateLane } from "../lane/lane.ts";
import { type LaneOwner, LanePort } from "../lane/event-loop-end.ts";
import { RingView } from "../lane/ring.ts";
import { ThreadStats } from "../lane/thread-stats.ts";
import { startWorker } from "./respawn.ts";

export interface ThreadSettings {
  /** The worker's entry file. */
  entry: URL;
  name: string;
  /** What it is told at its start, beside its lane. */
  start: object;
  taskRingBytes: number;
  resultRingBytes: number;
  /** It takes the place of one that died. */
  replacement: boolean;
}

/** What threads of one kind have in common: writers or readers. */
export interface PoolThreadSettings {
  entry: URL;
  cacheDir: string;
  count: number;
  /** One died by itself; it is started again. */
  onLost: (reason: string) => void;
}

export interface ThreadOwner extends LaneOwner {
  /** The thread ended though nobody closed it. Everything it was asked for is lost. */
  onLost(reason: string): void;
}

/** What is known of a thread that is there under this name, however often it was started again. */
export interface ThreadFigures {
  thread: string;
  restarts: number;
  /** Of the thread that runs now. */
  stats: ThreadStats;
  /** `in`: tasks for the thread. `out`: its results. */
  rings: readonly { direction: "in" | "out"; ring: RingView }[];
}

export class LaneThread extends LanePort {
  readonly #name: string;
  readonly #stats = new ThreadStats();
  readonly #rings: ThreadFigures["rings"];
  readonly #owner: ThreadOwner;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #closing = false;

  constructor(settings: ThreadSettings, owner: ThreadOwner) {
    const memory = allocateLane(settings.taskRingBytes, settings.resultRingBytes);
    super(memory, owner);
    this.#name = settings.name;
    this.#rings = [
      { direction: "in", ring: new RingView(memory.tasks) },
      { direction: "out", ring: new RingView(memory.results) },
    ];
    this.#owner = owner;
    this.#worker = startWorker(settings.entry, settings.name, settings.replacement);
    this.#ended = this.#watch(settings.name);
    const stats = this.#stats.memory;
    this.#worker.postMessage({ lane: memory, stats, ...settings.start });
  }

  figures(restarts: number): ThreadFigures {
    return { thread: this.#name, restarts, stats: this.#stats, rings: this.#rings };
  }

  /** Lets the thread do what it has been given, then ends it. */
  close(): Promise<void> {
    this.#closing = true;
    this.closeLane();
    return this.#ended;
  }

  #watch(name: string): Promise<void> {
    let reason = `${name} ended`;
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      reason = `${name} threw: ${event.message}`;
    });
    return new Promise((resolve) => {
      this.#worker.addEventListener("close", () => {
        this.stop();
        resolve();
        if (!this.#closing) this.#owner.onLost(reason);
      });
    });
  }
}
