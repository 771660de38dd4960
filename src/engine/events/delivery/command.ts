/**
 * Runs a program for each event: without a shell, with the event as JSON on standard input and in `WAVECACHE_*`
 * variables. Its output goes into the log. A run that fails is not repeated; a crash of the server repeats some.
 */
import { commandRetry, commandTimeoutMs, maxCommandOutputChars } from "../../../base/limits/events.ts";
import type { Log } from "../../../base/log/log.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import { cloudEvent } from "../cloud-event.ts";
import type { EventFilter } from "../event-filter.ts";
import { configHash } from "./consumer-claims.ts";
import { Deliveries, type DeliveryBase } from "./deliveries.ts";

export interface CommandSettings {
  /** The program, and its arguments. */
  command: readonly string[];
  filter: EventFilter;
}

/** Runs the command of the server, if it has one. */
export class Commands {
  readonly #base: DeliveryBase;
  readonly #log: Log;
  #deliveries: Deliveries | undefined;

  constructor(base: DeliveryBase, settings: CommandSettings | undefined, log: Log) {
    this.#base = base;
    this.#log = log;
    this.#deliveries = settings && this.#deliver(settings);
  }

  /** Its name in the catalog; undefined without a command. */
  get consumer(): string | undefined {
    return this.#deliveries?.settings.consumer;
  }

  async open(): Promise<void> {
    await this.#deliveries?.open();
  }

  async close(): Promise<void> {
    await this.#deliveries?.close();
  }

  /** Ends a command that runs, which then runs again for its event. */
  async configure(settings: CommandSettings | undefined): Promise<void> {
    await this.close();
    this.#deliveries = settings && this.#deliver(settings);
    await this.open();
  }

  #deliver({ command, filter }: CommandSettings): Deliveries {
    const deliver = (event: EventRow, signal: AbortSignal) => runCommand(command, event, signal, this.#log);
    const config = () => configHash(command, filter.types);
    const settings = { consumer: "command", config, filter, retry: commandRetry, deliver };
    return new Deliveries(this.#base, settings, this.#log);
  }
}

/** Rejects if the program fails, or runs for too long. */
export async function runCommand(
  command: readonly string[],
  event: EventRow,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const child = Bun.spawn([...command], {
    env: environmentOf(event),
    stdin: new Blob([`${cloudEvent(event)}\n`]),
    stdout: "pipe",
    stderr: "pipe",
    signal,
    timeout: commandTimeoutMs,
    killSignal: "SIGKILL",
  });
  const outputs = await Promise.all([startOf(child.stdout), startOf(child.stderr), child.exited]);
  const [output, errors] = outputs.map(String);
  const { exitCode, signalCode } = child;
  log.info("a command has run", { id: event.id, type: event.type, exitCode, output, errors });
  if (exitCode !== 0) throw new Error(`the command ended with ${exitCode ?? signalCode}`);
}

function environmentOf({ id, type, subject, at, data }: EventRow): Record<string, string | undefined> {
  return {
    ...withoutSettings(process.env),
    WAVECACHE_EVENT_ID: String(id),
    WAVECACHE_EVENT_TYPE: type,
    WAVECACHE_EVENT_SUBJECT: subject,
    WAVECACHE_EVENT_TIME: new Date(at).toISOString(),
    WAVECACHE_EVENT_DATA: data,
  };
}

/** The server's own settings may hold secrets. */
function withoutSettings(
  environment: Record<string, string | undefined>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("WAVECACHE_")));
}

/** The beginning of an output; the rest is read and discarded, so that the program does not wait. */
async function startOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    if (text.length < maxCommandOutputChars) text += decoder.decode(chunk, { stream: true });
  }
  return text.slice(0, maxCommandOutputChars).trimEnd();
}
