/** What the tests of the client share: bytes, quick settings, mock servers that are stopped after each test. */
import { afterEach } from "bun:test";
import { ClientError } from "../client/errors.ts";
import type { Socket } from "../client/platform.ts";
import { Random } from "./harness/bytes.ts";
import { type MockBehaviour, type MockServer, startMockServer } from "./mock-servers.ts";

/** Settings with which ten retries take no time. */
export const quickRetry = { firstDelayMs: 1, maxDelayMs: 4 };

/** `length` bytes that look random and are the same in every run. */
export function noise(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new Random(length).bytes(length));
}

/** The ClientError that a promise is rejected with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<ClientError> {
  const outcome = await promise.then(
    () => "it succeeded",
    (reason: unknown) => reason,
  );
  if (outcome instanceof ClientError) return outcome;
  throw new Error(`expected a ClientError, got: ${String(outcome)}`);
}

/** The message of whatever a promise is rejected with; success fails the test. */
export async function rejectionOf(promise: Promise<unknown>): Promise<string> {
  const outcome = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (outcome instanceof Error) return outcome.message;
  throw new Error("expected an error, got none");
}

/** Things to do after each test of the calling file, such as stopping a server. */
export function cleanups(): (stop: () => unknown) => void {
  const stops: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });
  return (stop) => void stops.push(stop);
}

/** A starter of mock servers, each stopped after the test that started it. */
export function mockServers(): (behaviour?: MockBehaviour) => MockServer {
  const cleanup = cleanups();
  return (behaviour) => {
    const server = startMockServer(behaviour);
    cleanup(server.stop);
    return server;
  };
}

/** A socket that the test drives by hand. */
export class FakeSocket implements Socket {
  binaryType = "";
  protocol = "";
  bufferedAmount = 0;
  terminated = false;
  readonly #onSend: (socket: FakeSocket, data: string | Uint8Array) => void;
  readonly #listeners = new Map<string, ((event: never) => void)[]>();

  constructor(onSend: (socket: FakeSocket, data: string | Uint8Array) => void = () => undefined) {
    this.#onSend = onSend;
  }

  send(data: string | Uint8Array): void {
    this.#onSend(this, data);
  }

  close(): void {
    this.fire("close", { code: 1000, reason: "" });
  }

  terminate(): void {
    this.terminated = true;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  fire(type: string, event: unknown = {}): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}
