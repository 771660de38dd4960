/** A lane thread that is started again when it dies, which its owner hears of: what it was at work on is lost. */
import { LaneThread, type ThreadFigures, type ThreadOwner, type ThreadSettings } from "./lane-thread.ts";
import { Respawn } from "./respawn.ts";

export class SupervisedThread {
  readonly #owner: ThreadOwner;
  readonly #respawn: Respawn;
  #current: LaneThread;

  constructor(settings: Omit<ThreadSettings, "replacement">, owner: ThreadOwner) {
    this.#owner = owner;
    const spawn = (replacement: boolean) =>
      new LaneThread(
        { ...settings, replacement },
        {
          onResult: (kind, subject, body) => owner.onResult(kind, subject, body),
          onRoom: () => owner.onRoom(),
          onLost: (reason) => this.#lost(reason),
        },
      );
    this.#current = spawn(false);
    this.#respawn = new Respawn(() => {
      this.#current = spawn(true);
    });
  }

  /** The one that runs now; of no use while it `isDead`. */
  get current(): LaneThread {
    return this.#current;
  }

  /** It died and is not started again yet. */
  get isDead(): boolean {
    return this.#respawn.pending;
  }

  figures(): ThreadFigures {
    return this.#current.figures(this.#respawn.restarts);
  }

  /** Lets the thread do what it has been given, then ends it. */
  close(): Promise<void> {
    return this.isDead ? this.#respawn.cancel() : this.#current.close();
  }

  #lost(reason: string): void {
    this.#respawn.schedule();
    this.#owner.onLost(reason);
  }
}
