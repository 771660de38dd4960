/** Retention policies: what is kept, how much of it, and for how long. */
import type { RetainedKind } from "../../store/retention/catalog.ts";

/**
 * `evict` removes what was read least recently, `expire` the oldest. `refuse` removes nothing to make room, and refuses
 * what is new while the bytes are used up. An age counts in every mode.
 */
export type RetentionMode = "evict" | "expire" | "refuse";

/** As a configuration states it. A limit that is absent does not limit. */
export interface PolicySettings {
  /** A glob of `streams/ID` or `recordings/DEVICE`, such as `streams/*`. */
  pattern: string;
  mode: RetentionMode;
  maxAgeMs?: number | undefined;
  maxBytes?: number | undefined;
  /** Of the file system that has the streams, or the recordings. */
  minFreeBytes?: number | undefined;
  /** No policy removes these: the newest of those that match, and those of the last so many ms. */
  keepAtLeast?: { newest?: number | undefined; lastMs?: number | undefined } | undefined;
}

const kinds: readonly RetainedKind[] = ["streams", "recordings"];

/** The kind that a pattern is about; undefined for a pattern of neither. */
export function kindOfPattern(pattern: string): RetainedKind | undefined {
  return kinds.find((kind) => pattern.length > kind.length + 1 && pattern.startsWith(`${kind}/`));
}

export class Policy {
  readonly settings: PolicySettings;
  readonly kind: RetainedKind;
  /** It is about everything of its kind, whose usage needs no count. */
  readonly coversAll: boolean;
  readonly #glob: Bun.Glob;

  /** Throws a RangeError for a pattern of neither streams nor recordings, and for recordings that would be refused. */
  constructor(settings: PolicySettings) {
    const kind = kindOfPattern(settings.pattern);
    if (kind === undefined) throw new RangeError(`no pattern of retention: ${settings.pattern}`);
    if (kind === "recordings" && settings.mode === "refuse")
      throw new RangeError(`recordings are never refused: ${settings.pattern}`);
    this.settings = settings;
    this.kind = kind;
    this.coversAll = [`${kind}/*`, `${kind}/**`].includes(settings.pattern);
    this.#glob = new Bun.Glob(settings.pattern);
  }

  /** Whether it removes anything to make room. */
  get makesRoom(): boolean {
    return this.settings.mode !== "refuse";
  }

  /** `name`: of a stream or a device. */
  matches(kind: RetainedKind, name: string): boolean {
    return kind === this.kind && (this.coversAll || this.#glob.match(`${kind}/${name}`));
  }
}
