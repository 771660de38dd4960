/**
 * A worker thread behind a lane, seen from the main thread. A thread that dies is restarted with a new lane. What the
 * dead thread was working on is lost, and the owner is notified.
 */
import { EventLoopEnd, type LaneOwner } from "../lane/event-loop-end.ts";
import { allocateLane } from "../lane/lane.ts";
import { RingView } from "../lane/ring.ts";
import { ThreadStats } from "../lane/thread-stats.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { startWorker } from "./start-worker.ts";

export interface ThreadSettings {
  /** The worker's entry file. */
  entry: URL;
  name: string;
  /** Goes into the first message to the worker, beside its lane. */
  start: object;
  taskRingBytes: number;
  resultRingBytes: number;
}

/** Common to all threads of a pool: all writers, or all readers. */
export interface PoolThreadSettings {
  entry: URL;
  cacheDir: string;
  count: number;
  /** A thread died by itself, and is restarted. */
  onLost: (reason: string) => void;
}

export interface ThreadOwner extends LaneOwner {
  /** The thread ended without being closed. All of its tasks are lost. */
  onLost(reason: string): void;
}

export interface ThreadFigures {
  /** The name, which stays the same when the thread is restarted. */
  thread: string;
  restarts: number;
  /** Since the last restart. */
  stats: ThreadStats;
  /** `in`: tasks for the thread. `out`: its results. */
  rings: readonly { direction: "in" | "out"; ring: RingView }[];
}

interface RunningThread {
  lane: EventLoopEnd;
  stats: ThreadStats;
  rings: ThreadFigures["rings"];
  ended: Promise<void>;
}

export class SupervisedThread {
  readonly #settings: ThreadSettings;
  readonly #owner: ThreadOwner;
  readonly #backoff: RestartBackoff;
  #thread: RunningThread;
  #isClosing = false;

  constructor(settings: ThreadSettings, owner: ThreadOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#backoff = new RestartBackoff(() => {
      this.#thread = this.#start(true);
    });
    this.#thread = this.#start(false);
  }

  /** The lane to the running thread; useless while `isDead`. */
  get lane(): EventLoopEnd {
    return this.#thread.lane;
  }

  /** The thread died and is not yet restarted. */
  get isDead(): boolean {
    return this.#backoff.isPending;
  }

  figures(): ThreadFigures {
    const { stats, rings } = this.#thread;
    return { thread: this.#settings.name, restarts: this.#backoff.restarts, stats, rings };
  }

  /** Lets the thread finish its tasks, then ends it. */
  async close(): Promise<void> {
    if (this.isDead) return this.#backoff.cancel();
    this.#isClosing = true;
    this.lane.close();
    await this.#thread.ended;
  }

  #start(isReplacement: boolean): RunningThread {
    const { entry, name, start, taskRingBytes, resultRingBytes } = this.#settings;
    const memory = allocateLane(taskRingBytes, resultRingBytes);
    const lane = new EventLoopEnd(memory, this.#owner);
    const stats = new ThreadStats();
    const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<void>();
    const worker = startWorker({ entry, name, isReplacement }, (reason) => {
      lane.stop();
      resolveEnded();
      if (!this.#isClosing) this.#lose(reason);
    });
    worker.postMessage({ lane: memory, stats: stats.memory, ...start });
    const rings: ThreadFigures["rings"] = [
      { direction: "in", ring: new RingView(memory.tasks) },
      { direction: "out", ring: new RingView(memory.results) },
    ];
    return { lane, stats, rings, ended };
  }

  #lose(reason: string): void {
    this.#backoff.schedule();
    this.#owner.onLost(reason);
  }
}
