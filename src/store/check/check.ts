/**
 * The background check, after each start: what needs a look at each row or file.
 *
 *     1  what the journal knows of finished and removed streams, and the catalog does not, is done again: the catalog may
 *        be an older copy
 *     2  streams of an older version are added to the index of the search
 *     3  unfinished rows of earlier runs are brought into step with their files
 *     4  files in incoming/ that no row accounts for are set aside in lost+found/
 *     5  objects and the rows of finished streams are compared. An object without a row gets the rows that the journal
 *        knows, or is set aside. Finished streams whose object is missing or has another size are reported, unless the
 *        journal knows that they were removed: then the catalog is an older copy, and their rows go. An interrupted check
 *        continues with the folder that it was at
 *
 * It runs in the keeper, between calls: each step takes milliseconds, and the check rests between steps. Since calls
 * run meanwhile, whatever looks wrong is looked at again right before something is done about it.
 */
import type { CheckContext } from "./context.ts";
import { checkIncoming } from "./incoming-pass.ts";
import { replayJournal } from "./journal-pass.ts";
import { noteEntered } from "./folder-entry.ts";
import type { StoreNotice } from "./notice.ts";
import { checkObjects } from "./object-pass.ts";
import { fillSearch } from "./search-pass.ts";
import { settleUnfinished } from "./unfinished-pass.ts";

type Report = StoreNotice["check"];

export class StoreCheck {
  readonly #context: CheckContext;
  #state: Report["state"] = "running";

  constructor(context: CheckContext) {
    this.#context = context;
  }

  /** Resolves when everything has been checked, or when the signal has ended the check. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await replayJournal(this.#context);
      await fillSearch(this.#context);
      await settleUnfinished(this.#context);
      await checkIncoming(this.#context);
      await checkObjects(this.#context);
      const { catalog } = this.#context.store;
      catalog.transaction(() => noteEntered(catalog), false);
      this.#state = "done";
    } catch (error) {
      if (signal.aborted) return;
      this.#state = "failed";
      this.#context.fail(error);
    } finally {
      await this.#context.closeIndex();
    }
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** The figures so far, with what was found since the last report. */
  report(): Report {
    const { figures, damaged, failures } = this.#context;
    return {
      state: this.#state,
      figures: { ...figures },
      damaged: damaged.splice(0),
      failures: failures.splice(0),
    };
  }
}
