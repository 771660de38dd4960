/** When which server or link was in trouble: what a client may see depends on it. */
export type TroubleKind = "kill" | "freeze" | "link" | "store";

export interface Trouble {
  kind: TroubleKind;
  /** The number of the server; undefined for all of them. */
  machine: number | undefined;
  /** Of this process's clock, in ms. `ended` is Infinity while it lasts. */
  began: number;
  ended: number;
}

export class TroubleJournal {
  readonly all: Trouble[] = [];

  /** Returns the function that notes its end. */
  begin(kind: TroubleKind, machine?: number): () => void {
    const trouble: Trouble = { kind, machine, began: performance.now(), ended: Infinity };
    this.all.push(trouble);
    return () => {
      trouble.ended = performance.now();
    };
  }

  /** What of these kinds lasted at some time of a period, at this server or, without a number, at any. */
  between(kinds: readonly TroubleKind[], from: number, to: number, machine?: number): Trouble[] {
    return this.all.filter(
      (each) =>
        kinds.includes(each.kind) &&
        each.began <= to &&
        each.ended >= from &&
        (machine === undefined || each.machine === undefined || each.machine === machine),
    );
  }
}
