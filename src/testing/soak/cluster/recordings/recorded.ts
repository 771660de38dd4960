/** Compares the recordings of all devices with what they have sent: whole, and by time, at every server that has them. */
import { sha256 } from "../../../harness/bytes.ts";
import { allRecordings, type ListedRecording } from "../../../harness/http/recordings.ts";
import { timelineOf, type Timeline } from "../../../harness/http/timeline.ts";
import { until } from "../../../harness/until.ts";
import type { Findings } from "../findings.ts";
import type { TroubleJournal } from "../journal.ts";
import type { Machine, Machines } from "../machines.ts";
import type { DeviceLedger } from "./device-ledger.ts";
import type { Run } from "./marked-audio.ts";

export interface RecordedFigures {
  recordings: number;
  /** Of audio that is right, whole and by time. */
  wholeSeconds: number;
  periodSeconds: number;
  /** Reads of recordings that were answered, and that the other servers did not have. */
  served: number;
  elsewhere: number;
}

const wavHeaderBytes = 44;
const attemptMs = 30_000;
const answerLimitMs = 60_000;
/** Segments of a server that was killed are repaired and entered after its start. */
const repairLimitMs = 60_000;

/** A recording and its span may begin at slightly different times. */
const startSlackMs = 500;

type Span = Timeline["spans"][number];
type Read = { audio: Uint8Array } | "elsewhere";

export class Recorded {
  readonly figures: RecordedFigures = {
    recordings: 0,
    wholeSeconds: 0,
    periodSeconds: 0,
    served: 0,
    elsewhere: 0,
  };
  readonly #machines: Machines;
  readonly #journal: TroubleJournal;
  readonly #findings: Findings;
  /** Runs of the recordings that were read, by their ids, and the numbers of the servers that had them. */
  readonly #runs = new Map<number, Run[]>();
  readonly #holders = new Map<number, ReadonlySet<number>>();

  constructor(machines: Machines, journal: TroubleJournal, findings: Findings) {
    this.#machines = machines;
    this.#journal = journal;
    this.#findings = findings;
  }

  /** All audio that must be there is in some recording, once, and every server says the same of it. */
  async compare(ledger: DeviceLedger): Promise<void> {
    let faults: string[] = [];
    await until("whole recordings", repairLimitMs, async () => {
      faults = ledger.faults(await this.#recordedRuns(ledger), this.#journal);
      return faults.length === 0 || (await Bun.sleep(1_000), false);
    }).catch(() => undefined);
    for (const fault of faults) this.#findings.add(`${ledger.name}: ${fault}`, await this.#listed(ledger));
    for (const machine of this.#machines.all) await this.#comparePeriods(ledger, machine);
  }

  async #listed(ledger: DeviceLedger): Promise<object> {
    const listed = await allRecordings(this.#machines.all[0]!.origin, `device=${ledger.name}`);
    return { listed: listed.map(({ id, wav, samples }) => [id, wav.path, samples, this.#runs.get(id)]) };
  }

  async #recordedRuns(ledger: DeviceLedger): Promise<Run[]> {
    const listed = await allRecordings(this.#machines.all[0]!.origin, `device=${ledger.name}`);
    for (const recording of listed) await this.#readOnce(ledger, recording);
    return listed.flatMap(({ id }) => this.#runs.get(id) ?? []);
  }

  async #readOnce(ledger: DeviceLedger, recording: ListedRecording): Promise<void> {
    const { id, samples } = recording;
    if (this.#runs.has(id)) return;
    const found = new Map<number, Uint8Array>();
    for (const machine of this.#machines.all) {
      const read = await this.#read(machine, `/api/recordings/${id}/audio`, `recording ${id}`);
      if (read === "elsewhere") this.figures.elsewhere += 1;
      else found.set(machine.number, read.audio);
    }
    this.figures.served += found.size;
    for (const [machine, audio] of found)
      if (sha256(audio) !== recording.wav.sha256)
        this.#findings.add(`recording ${id} is not what its row says, at server ${machine}`, recording);
    const [audio] = found.values();
    if (audio === undefined) return this.#findings.add(`no server has recording ${id}`, recording);
    this.#runs.set(id, runsOf(ledger, audio.subarray(wavHeaderBytes)));
    this.#holders.set(id, new Set(found.keys()));
    this.figures.recordings += 1;
    this.figures.wholeSeconds += samples / ledger.audio.format.sampleRate;
  }

  /** The audio of each span by time, at one server: of those that it has, and that are over by its clock. */
  async #comparePeriods(ledger: DeviceLedger, machine: Machine): Promise<void> {
    const { spans } = (await timelineOf(machine.origin, ledger.name)) ?? { spans: [] };
    for (const span of spans) {
      const isOver = Date.parse(span.end) < Date.now() + machine.clockAheadMs;
      if (!isOver || !(await this.#hasAll(ledger, span, machine))) continue;
      const query = `from=${span.start}&to=${span.end}&format=pcm&gaps=skip`;
      const what = `${ledger.name} from ${span.start}`;
      const read = await this.#read(machine, `/api/recordings/${ledger.name}/audio?${query}`, what);
      if (read === "elsewhere") this.figures.elsewhere += 1;
      else this.#comparePeriod(ledger, span, read.audio, overlaps(span, spans), `${what} at ${machine.name}`);
    }
  }

  /** Whether a server has served all recordings that begin within a span, or by rounding just before it. */
  async #hasAll(ledger: DeviceLedger, { start, end }: Span, machine: Machine): Promise<boolean> {
    const query = `device=${ledger.name}&from=${Date.parse(start) - startSlackMs}&to=${end}`;
    const listed = await allRecordings(machine.origin, query);
    return listed.length > 0 && listed.every(({ id }) => this.#holders.get(id)?.has(machine.number));
  }

  #comparePeriod(
    ledger: DeviceLedger,
    span: Span,
    audio: Uint8Array,
    isShared: boolean,
    where: string,
  ): void {
    this.figures.served += 1;
    const runs = runsOf(ledger, audio);
    const samples = runs.reduce((sum, { count }) => sum + count, 0);
    const isSent = runs.every((run) => ledger.hasSent(run));
    const isOrdered = runs.every(
      (run, at) => at === 0 || run.first >= runs[at - 1]!.first + runs[at - 1]!.count,
    );
    // Where sessions overlap, because servers have other clocks, the period has audio of both.
    if (!isSent || (!isShared && (samples !== span.samples || !isOrdered)))
      this.#findings.add(`${where}: other audio than was recorded`, {
        span,
        samples,
        runs: runs.slice(0, 20),
      });
    this.figures.periodSeconds += samples / ledger.audio.format.sampleRate;
  }

  /** Tries again whatever fails for a while. */
  async #read(machine: Machine, path: string, what: string): Promise<Read> {
    let said = "";
    const attempt = async (): Promise<Read | undefined> => {
      const answer = await fetch(machine.origin + path, { signal: AbortSignal.timeout(attemptMs) });
      const body = new Uint8Array(await answer.arrayBuffer());
      if (answer.status === 200) return { audio: body };
      said = `${answer.status} ${new TextDecoder().decode(body)}`;
      return said.includes("AUDIO_ELSEWHERE") ? "elsewhere" : void (await Bun.sleep(200));
    };
    const noteSaid = (error: unknown): undefined => void (said = String(error));
    try {
      const probe = () => attempt().catch(noteSaid);
      return await until(`${what} at ${machine.name}`, answerLimitMs, probe, () => said);
    } catch (error) {
      this.#findings.add(String(error));
      return "elsewhere";
    }
  }
}

function runsOf(ledger: DeviceLedger, pcm: Uint8Array): Run[] {
  return ledger.audio.runs(new Int16Array(pcm.slice().buffer));
}

function overlaps(span: Span, spans: readonly Span[]): boolean {
  return spans.some((other) => other !== span && other.start < span.end && span.start < other.end);
}
