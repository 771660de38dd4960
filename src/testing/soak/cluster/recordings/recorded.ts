/** Compares the recordings of all devices with what they have sent: whole, and by time, at every server. */
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
  /** Reads of recordings that were answered. */
  served: number;
}

const wavHeaderBytes = 44;
const attemptMs = 30_000;
const answerLimitMs = 60_000;
/** Segments of a server that was killed are repaired and entered after its start. */
const repairLimitMs = 60_000;

type Span = Timeline["spans"][number];

export class Recorded {
  readonly figures: RecordedFigures = {
    recordings: 0,
    wholeSeconds: 0,
    periodSeconds: 0,
    served: 0,
  };
  readonly #machines: Machines;
  readonly #journal: TroubleJournal;
  readonly #findings: Findings;
  /** Runs of the recordings that were read, by their ids. */
  readonly #runs = new Map<number, Run[]>();

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
    for (const machine of this.#machines.all) {
      const audio = await this.#read(machine, `/api/recordings/${id}/audio`, `recording ${id}`);
      if (audio === undefined) continue;
      if (sha256(audio) !== recording.wav.sha256)
        this.#findings.add(`recording ${id} is not what its row says, at ${machine.name}`, recording);
      this.#runs.set(id, runsOf(ledger, audio.subarray(wavHeaderBytes)));
    }
    this.figures.recordings += 1;
    this.figures.wholeSeconds += samples / ledger.audio.format.sampleRate;
  }

  /** The audio of each span by time, at one server. */
  async #comparePeriods(ledger: DeviceLedger, machine: Machine): Promise<void> {
    const { spans } = (await timelineOf(machine.origin, ledger.name)) ?? { spans: [] };
    for (const span of spans) {
      const query = `from=${span.start}&to=${span.end}&format=pcm&gaps=skip`;
      const what = `${ledger.name} from ${span.start}`;
      const audio = await this.#read(machine, `/api/recordings/${ledger.name}/audio?${query}`, what);
      if (audio === undefined) continue;
      this.#comparePeriod(ledger, span, audio, overlaps(span, spans), `${what} at ${machine.name}`);
    }
  }

  #comparePeriod(
    ledger: DeviceLedger,
    span: Span,
    audio: Uint8Array,
    isShared: boolean,
    where: string,
  ): void {
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

  /** Tries again whatever fails for a while; then it is a fault. */
  async #read(machine: Machine, path: string, what: string): Promise<Uint8Array | undefined> {
    let said = "";
    const attempt = async (): Promise<Uint8Array | undefined> => {
      const answer = await fetch(machine.origin + path, { signal: AbortSignal.timeout(attemptMs) });
      const body = new Uint8Array(await answer.arrayBuffer());
      if (answer.status === 200) {
        this.figures.served += 1;
        return body;
      }
      said = `${answer.status} ${new TextDecoder().decode(body)}`;
      return void (await Bun.sleep(200));
    };
    const noteSaid = (error: unknown): undefined => void (said = String(error));
    try {
      const probe = () => attempt().catch(noteSaid);
      return await until(`${what} at ${machine.name}`, answerLimitMs, probe, () => said);
    } catch (error) {
      return void this.#findings.add(String(error));
    }
  }
}

function runsOf(ledger: DeviceLedger, pcm: Uint8Array): Run[] {
  return ledger.audio.runs(new Int16Array(pcm.slice().buffer));
}

function overlaps(span: Span, spans: readonly Span[]): boolean {
  return spans.some((other) => other !== span && other.start < span.end && span.start < other.end);
}
