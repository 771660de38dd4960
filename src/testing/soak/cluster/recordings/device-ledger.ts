/** What one device has sent, over which connections, and what has to be in its recordings. */
import type { TroubleJournal } from "../journal.ts";
import type { MarkedAudio, Run } from "./marked-audio.ts";

export interface Connection {
  /** The number of the server that got it; undefined if it has not shown any audio. */
  machine: number | undefined;
  firstFrame: number;
  /** Of each frame, by this process's clock in ms. */
  sentAt: number[];
  /** `closed`: the server has read everything and said so. */
  state: "open" | "closed" | "lost";
  endedAt: number;
}

/** The promise: a crash costs no more than this. */
const lossMs = 1_000;
/** Audio may be so long in the kernels and proxies of a busy machine. */
const transitMs = 1_500;
/** A connection may be lost this long after its server was in trouble. */
const afterTroubleMs = 40_000;

export class DeviceLedger {
  readonly name: string;
  readonly audio: MarkedAudio;
  readonly connections: Connection[] = [];
  #nextFrame = 1;

  constructor(name: string, audio: MarkedAudio) {
    this.name = name;
    this.audio = audio;
  }

  get nextFrame(): number {
    return this.#nextFrame;
  }

  /** Position after the last sample that was sent. */
  get end(): number {
    return this.#nextFrame * this.#frameSamples;
  }

  get #frameSamples(): number {
    return this.audio.format.frameSamples;
  }

  connect(): Connection {
    const connection: Connection = {
      machine: undefined,
      firstFrame: this.#nextFrame,
      sentAt: [],
      state: "open",
      endedAt: Infinity,
    };
    this.connections.push(connection);
    return connection;
  }

  /** Returns the number of the frame that is sent now. */
  send(connection: Connection): number {
    connection.sentAt.push(performance.now());
    return this.#nextFrame++;
  }

  /** Whether the device may have sent these samples. */
  hasSent({ first, count }: Run): boolean {
    return first >= this.#frameSamples && first + count <= this.end;
  }

  /** What is wrong with the samples of all recordings, one line each. */
  faults(recorded: readonly Run[], journal: TroubleJournal): string[] {
    const faults: string[] = [];
    const ordered = recorded.toSorted((a, b) => a.first - b.first);
    for (const [at, run] of ordered.entries()) {
      const next = ordered[at + 1];
      if (!this.hasSent(run)) faults.push(`samples that were never sent: ${shown(run)}`);
      if (next !== undefined && next.first < run.first + run.count)
        faults.push(`samples are there twice: ${shown(run)} and ${shown(next)}`);
    }
    for (const connection of this.connections) {
      const safe = this.#safeRun(connection, journal);
      const missing = gapsOf(safe, ordered);
      if (missing.length > 0)
        faults.push(`lost ${missing.map(shown).join(", ")} of ${shown(safe)}, ${describe(connection)}`);
    }
    return faults;
  }

  /** What must be there of a connection. */
  #safeRun(connection: Connection, journal: TroubleJournal): Run {
    const { firstFrame, sentAt, state } = connection;
    const before = state === "closed" ? Infinity : lostFrom(connection, journal) - lossMs - transitMs;
    const frames = sentAt.filter((time) => time < before).length;
    return { first: firstFrame * this.#frameSamples, count: frames * this.#frameSamples };
  }
}

/** A server that was frozen, and then lost the connection, has got nothing since it froze. */
function lostFrom({ machine, endedAt }: Connection, journal: TroubleJournal): number {
  const troubles = journal.between(["kill", "freeze"], endedAt - afterTroubleMs, endedAt, machine);
  return Math.min(endedAt, ...troubles.map(({ began }) => began));
}

/** The parts of a run that are in none of the others, which are in order. */
export function gapsOf({ first, count }: Run, ordered: readonly Run[]): Run[] {
  const gaps: Run[] = [];
  const end = first + count;
  let at = first;
  for (const run of ordered) {
    if (run.first >= end) break;
    if (run.first > at) gaps.push({ first: at, count: run.first - at });
    at = Math.max(at, run.first + run.count);
  }
  if (at < end) gaps.push({ first: at, count: end - at });
  return gaps;
}

const shown = ({ first, count }: Run): string => `${first} to ${first + count}`;

function describe({ machine, state, sentAt, endedAt }: Connection): string {
  const [began, last] = [sentAt[0] ?? 0, sentAt.at(-1) ?? 0].map(Math.round);
  return `of a ${state} connection to server ${machine}, sent from ${began} to ${last} ms, ended at ${Math.round(endedAt)} ms`;
}
