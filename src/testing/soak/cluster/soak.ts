/**
 * Three servers that share their engines: random uploads, reads and removals through HAProxy, while servers are killed
 * and frozen, and links and the object store fail. Whatever was acknowledged must be at every server in the end.
 */
import type { Random } from "../../harness/bytes.ts";
import { until } from "../../harness/until.ts";
import { type ClientFigures, ClusterClients } from "./clients.ts";
import { ClusterFaults } from "./faults.ts";
import { ClusterLedger } from "./ledger.ts";
import { Machines } from "./machines.ts";

export interface ClusterSoakOptions {
  nodes: number;
  clients: number;
  /** Ends after this long, and not before the fault that is under way. */
  limitMs: number;
  /** Ends after so many faults. */
  maxFaults?: number;
  onFault: (line: string) => void;
}

export interface ClusterSoakOutcome extends ClientFigures {
  happened: Record<string, number>;
  acknowledged: number;
  bytes: number;
  faults: string[];
}

const readLimitMs = 60_000;
/** Events that are kept come one after the other. */
const quietMs = 1_000;
/** Between two faults. */
const calmMs = [200, 2_000] as const;

export async function clusterSoak(random: Random, options: ClusterSoakOptions): Promise<ClusterSoakOutcome> {
  await using machines = await Machines.open(options.nodes);
  const ledger = new ClusterLedger(random);
  const clients = new ClusterClients(machines.proxy.origin, ledger, random);
  const faults = new ClusterFaults(machines, random, options.onFault);
  let isOver = false;
  const working = Array.from({ length: options.clients }, () => clients.run(() => isOver));
  const deadline = performance.now() + options.limitMs;
  while (performance.now() < deadline && faults.happened.length < (options.maxFaults ?? Infinity)) {
    await Bun.sleep(random.int(...calmMs));
    await faults.next();
  }
  await faults.heal();
  isOver = true;
  await Promise.all(working);
  await readEverywhere(machines, ledger, clients);
  await compareEvents(machines, ledger);
  const acknowledged = ledger.of("acknowledged").length;
  const happened = Object.fromEntries(
    Map.groupBy(faults.happened, (what) => what)
      .entries()
      .map(([what, all]) => [what, all.length]),
  );
  return { ...clients.figures, happened, acknowledged, bytes: ledger.bytes, faults: ledger.faults };
}

async function readEverywhere(
  { all }: Machines,
  ledger: ClusterLedger,
  clients: ClusterClients,
): Promise<void> {
  for (const [at, { server }] of all.entries()) {
    for (const sent of [...ledger.of("acknowledged"), ...ledger.of("removed")]) {
      const where = `server ${at + 1} in the end`;
      await until(`${where}: ${sent.id}`, readLimitMs, () => clients.read(sent, server.httpBase, where));
    }
  }
}

/** No stream was finished twice, and none without its event. */
async function compareEvents({ all }: Machines, ledger: ClusterLedger): Promise<void> {
  const subjects = await finishedSubjects(`${all[0]!.server.httpBase}/api/events?type=stream.finished`);
  for (const { id } of ledger.of("acknowledged")) {
    const count = subjects.filter((subject) => subject === `streams/${id}`).length;
    if (count !== 1) ledger.faults.push(`${id} was finished ${count} times`);
  }
}

/** The subjects of all events that are kept: no more of them come for a while. */
async function finishedSubjects(url: string): Promise<string[]> {
  const leaver = new AbortController();
  const answer = await fetch(url, { headers: { "last-event-id": "0" }, signal: leaver.signal });
  let text = "";
  const decoder = new TextDecoder();
  let timer = setTimeout(() => leaver.abort(), quietMs);
  try {
    for await (const chunk of answer.body!) {
      text += decoder.decode(chunk, { stream: true });
      clearTimeout(timer);
      timer = setTimeout(() => leaver.abort(), quietMs);
    }
  } catch (error) {
    if (!leaver.signal.aborted) throw error;
  }
  const events = Array.from(text.matchAll(/^data: (.*)$/gm), ([, data]) => JSON.parse(data!) as SubjectEvent);
  return events.map(({ subject }) => subject);
}

interface SubjectEvent {
  subject: string;
}
