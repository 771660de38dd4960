/** Which events a reader wants: globs of types and of subjects, in which `*` stands for any text without a slash. */
import { Glob } from "bun";
import { maxEventGlobs, maxEventGlobChars } from "../../base/limits/events.ts";
import { eventTypeNames } from "../../store/events/types.ts";

export class EventFilter {
  readonly types: string;
  readonly subjects: string;
  readonly #types: ReadonlySet<string>;
  readonly #subjects: readonly Glob[];

  /** Globs separated by commas; empty for everything. Throws a `RangeError` that says what is wrong. */
  constructor(types = "", subjects = "") {
    this.types = types;
    this.subjects = subjects;
    const typeGlobs = globsOf(types);
    const isWanted = (type: string) => typeGlobs.some((glob) => glob.match(type));
    this.#types = new Set(typeGlobs.length === 0 ? eventTypeNames : eventTypeNames.filter(isWanted));
    if (this.#types.size === 0) throw new RangeError("no type of event matches");
    this.#subjects = globsOf(subjects);
  }

  matches({ type, subject }: { type: string; subject: string }): boolean {
    if (!this.#types.has(type)) return false;
    return this.#subjects.length === 0 || this.#subjects.some((glob) => glob.match(subject));
  }
}

function globsOf(text: string): Glob[] {
  const patterns = text.split(",").filter(Boolean);
  if (patterns.length > maxEventGlobs) throw new RangeError(`more than ${maxEventGlobs} globs`);
  if (!patterns.every((each) => /^[A-Za-z0-9_.:*/-]+$/.test(each) && each.length <= maxEventGlobChars))
    throw new RangeError(`a glob has up to ${maxEventGlobChars} of the characters A-Z a-z 0-9 _ . : - / *`);
  return patterns.map((each) => new Glob(each));
}
