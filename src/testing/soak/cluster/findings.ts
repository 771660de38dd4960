/** What a soak has found to be wrong: each with what was sent, and what was read where. */
export interface Finding {
  what: string;
  details: object;
}

export class Findings {
  readonly all: Finding[] = [];
  readonly #onFinding: (finding: Finding) => void;

  constructor(onFinding: (finding: Finding) => void = () => {}) {
    this.#onFinding = onFinding;
  }

  add(what: string, details: object = {}): void {
    const finding = { what, details };
    this.all.push(finding);
    this.#onFinding(finding);
  }

  get lines(): string[] {
    return this.all.map(({ what, details }) => `${what} ${JSON.stringify(details)}`);
  }
}
