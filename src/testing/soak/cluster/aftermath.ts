/** What must hold once everything is reachable again and nobody does anything any more. */
import { until } from "../../harness/until.ts";
import type { ClusterClients } from "./clients.ts";
import type { Findings } from "./findings.ts";
import type { ClusterLedger } from "./ledger.ts";
import { catalogSizes, serverSizes } from "./limits.ts";
import type { Machines } from "./machines.ts";

const readLimitMs = 60_000;
/** An object that failed often waits for minutes before it is tried again. */
const drainLimitMs = 360_000;
const stragglerMs = 30_000;
/** Events that are kept come one after the other. */
const quietMs = 2_000;

/** Everything acknowledged is at every server, and nothing that was removed. */
export async function readEverywhere(
  { all }: Machines,
  ledger: ClusterLedger,
  clients: ClusterClients,
): Promise<void> {
  for (const { name, origin } of all) {
    const where = `${name} in the end`;
    for (const sent of [...ledger.of("acknowledged"), ...ledger.of("removed")]) {
      const isRead = () => clients.readAt(sent, origin, where);
      await until(`${where}: ${sent.id} can be read`, readLimitMs, isRead).catch((error: unknown) => {
        ledger.findings.add(String(error), { sent });
      });
    }
  }
}

/** Every server has archived and removed what it had to. */
export async function untilDrained({ all, catalogUrl }: Machines, findings: Findings): Promise<void> {
  for (const machine of all) {
    const isDrained = async () => {
      const sizes = await serverSizes(machine);
      return sizes !== undefined && sizes.queued === 0 && sizes.removals === 0;
    };
    await until(`${machine.name} has empty queues`, drainLimitMs, isDrained).catch(async (error: unknown) => {
      findings.add(String(error), await serverSizes(machine));
    });
  }
  const hasNoTasks = async () => (await catalogSizes(catalogUrl)).tasks === 0;
  await until("all tasks of servers for others are done", drainLimitMs, hasNoTasks).catch(
    async (error: unknown) => {
      findings.add(String(error), await catalogSizes(catalogUrl));
    },
  );
}

/** The object store has no audio of streams that are gone. */
export async function compareStore({ store }: Machines, ledger: ClusterLedger): Promise<void> {
  const states = ["acknowledged", "removing", "sending"] as const;
  const known = new Set(states.flatMap((state) => ledger.of(state)).map(({ sha256 }) => sha256));
  const leftOver = async () => (await store.objects()).filter((sha256) => !known.has(sha256));
  await until(
    "removed audio leaves the store",
    stragglerMs,
    async () => (await leftOver()).length === 0,
  ).catch(async (error: unknown) => ledger.findings.add(String(error), { leftOver: await leftOver() }));
}

/** No stream was finished twice, and none without its event. */
export async function compareEvents({ all }: Machines, ledger: ClusterLedger): Promise<void> {
  const subjects = await finishedSubjects(`${all[0]!.origin}/api/events?type=stream.finished`);
  const counts = Map.groupBy(subjects, (subject) => subject);
  for (const sent of [...ledger.of("acknowledged"), ...ledger.of("removed")]) {
    const count = counts.get(`streams/${sent.id}`)?.length ?? 0;
    if (count !== 1) ledger.findings.add(`${sent.id} was finished ${count} times`, { sent });
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
