/** The webhooks of the server: each with deliveries of its own, so none waits for another. */
import type { AddressList } from "../../../base/address-list.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { hookRetry, maxDeadDeliveries, webhookTimeoutMs } from "../../../base/limits/events.ts";
import type { Log } from "../../../base/log/log.ts";
import type { DeliveryRow } from "../../../store/events/deliveries.ts";
import type { Tracer } from "../../../base/tracing/tracer.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import type { EventFilter } from "../event-filter.ts";
import { configHash } from "./consumer-claims.ts";
import { Deliveries, type DeliveryBase } from "./deliveries.ts";
import { readHookSecret } from "./hook-secret.ts";
import { sendWebhook } from "./webhook.ts";

export interface HookSettings {
  name: string;
  url: string;
  filter: EventFilter;
}

export interface HooksSettings {
  hooks: readonly HookSettings[];
  /** Has the secret that signs all of them. The server makes it if there is none. */
  secretFile: string;
  /** Private networks that they may reach. */
  allowed: AddressList | undefined;
}

export interface HookState {
  name: string;
  url: string;
  types: string;
  subjects: string;
  delivered: number;
  failed: number;
  dead: number;
  missed: number;
  pending: number;
  position: number;
  /** The node that delivers; null without one, and in a catalog of one node. */
  node: string | null;
  /** This node delivers. */
  deliversHere: boolean;
  lastError: string | undefined;
}

/** What webhooks are built on. */
export interface HooksBase extends DeliveryBase {
  tracer: Tracer;
}

export class Hooks {
  readonly #base: HooksBase;
  readonly #log: Log;
  readonly #all = new Map<string, { hook: HookSettings; deliveries: Deliveries }>();
  #settings: HooksSettings;
  #secret = "";

  constructor(base: HooksBase, settings: HooksSettings, log: Log) {
    this.#base = base;
    this.#settings = settings;
    this.#log = log;
    for (const hook of settings.hooks) this.#add(hook);
  }

  /** Rejects with HOOK_SECRET_UNUSABLE. */
  async open(): Promise<void> {
    if (this.#all.size === 0) return;
    this.#secret = await readHookSecret(this.#settings.secretFile);
    await Promise.all(Array.from(this.#all.values(), ({ deliveries }) => deliveries.open()));
  }

  /** Rejects with HOOK_SECRET_UNUSABLE if hooks cannot be signed. */
  async check({ hooks, secretFile }: HooksSettings): Promise<void> {
    if (hooks.length > 0) await readHookSecret(secretFile);
  }

  /** Ends hooks and begins others, so that these are there. Those that stay the same continue. */
  async configure(settings: HooksSettings): Promise<void> {
    if (settings.hooks.length > 0) this.#secret = await readHookSecret(settings.secretFile);
    this.#settings = settings;
    const stays = (hook: HookSettings) => settings.hooks.some((each) => isSameHook(each, hook));
    const ended = Array.from(this.#all.values()).filter(({ hook }) => !stays(hook));
    for (const { hook } of ended) this.#all.delete(hook.name);
    await Promise.all(ended.map(({ deliveries }) => deliveries.close()));
    const added = settings.hooks.filter(({ name }) => !this.#all.has(name)).map((hook) => this.#add(hook));
    await Promise.all(added.map((deliveries) => deliveries.open()));
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#all.values(), ({ deliveries }) => deliveries.close()));
  }

  /** Their names in the catalog. */
  get consumers(): string[] {
    return Array.from(this.#all.keys(), consumerOf);
  }

  list(): HookState[] {
    return Array.from(this.#all.values(), ({ hook, deliveries }) => ({
      name: hook.name,
      url: hook.url,
      types: hook.filter.types,
      subjects: hook.filter.subjects,
      ...deliveries.figures,
      pending: deliveries.pending,
      position: deliveries.position,
      node: deliveries.owner,
      deliversHere: deliveries.epoch > 0,
      lastError: deliveries.lastError,
    }));
  }

  /** The events that were given up, oldest first. Rejects with HOOK_UNKNOWN. */
  failed(name: string): Promise<DeliveryRow[]> {
    this.#find(name);
    return this.#dead(name);
  }

  /** Delivers events that were given up again: all of them, or the one with this id. Resolves with how many. */
  async replay(name: string, id: number | undefined): Promise<number> {
    this.#find(name);
    const { keeper, claims } = this.#base;
    const revived = await keeper.call("reviveDeliveries", { consumer: consumerOf(name), id: id ?? null });
    // Another node that delivers looks by itself.
    await claims.look();
    return revived;
  }

  /** Sends an event that is no other event's copy. Resolves with why it failed. Rejects with HOOK_UNKNOWN. */
  async test(name: string): Promise<string | undefined> {
    const { hook } = this.#find(name);
    const [type, subject, data] = ["server.started", "server", '{"version":"test"}'] as const;
    try {
      await this.#send(hook, { id: 0, type, subject, at: sharedNow(), data }, new AbortController().signal);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #add(hook: HookSettings): Deliveries {
    const deliver = (event: EventRow, signal: AbortSignal) => this.#send(hook, event, signal);
    const consumer = consumerOf(hook.name);
    const { url, filter } = hook;
    const config = () => configHash(url, filter.types, filter.subjects, this.#secret);
    const delivery = { consumer, config, filter, retry: hookRetry, deliver };
    const deliveries = new Deliveries(this.#base, delivery, this.#log);
    this.#all.set(hook.name, { hook, deliveries });
    return deliveries;
  }

  #find(name: string): { hook: HookSettings; deliveries: Deliveries } {
    const found = this.#all.get(name);
    if (found === undefined) throw new WavecacheError("HOOK_UNKNOWN");
    return found;
  }

  #dead(name: string): Promise<DeliveryRow[]> {
    const args = { consumer: consumerOf(name), limit: maxDeadDeliveries };
    return this.#base.keeper.call("deadDeliveries", args);
  }

  async #send({ name, url }: HookSettings, event: EventRow, signal: AbortSignal): Promise<void> {
    const { allowed } = this.#settings;
    const attributes = { "wavecache.hook": name, "wavecache.event": event.id, "wavecache.type": event.type };
    const span = this.#base.tracer.start("webhook", attributes);
    const settings = { url, secret: this.#secret, allowed, timeoutMs: webhookTimeoutMs, trace: span.context };
    try {
      await sendWebhook(settings, event, signal);
      span.end();
    } catch (error) {
      span.end({}, error);
      throw error;
    }
  }
}

function isSameHook(one: HookSettings, other: HookSettings): boolean {
  return (
    one.name === other.name &&
    one.url === other.url &&
    one.filter.types === other.filter.types &&
    one.filter.subjects === other.filter.subjects
  );
}

/** The catalog knows consumers of every kind by their names. */
function consumerOf(name: string): string {
  return `hook/${name}`;
}
