import { beforeEach, describe, expect, test } from "bun:test";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { MemoryLog } from "../../testing/harness/servers/device-gateway.ts";
import { until } from "../../testing/harness/until.ts";
import { RetainedStates } from "./retained-states.ts";

/** A broker that takes one message at a time, when the test lets it. */
class SlowBroker {
  readonly taken: string[] = [];
  #waiting: { text: string; resolve: () => void; reject: (error: Error) => void }[] = [];

  publish(topic: string, payload: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ text: `${topic}=${payload}`, resolve, reject });
    return promise;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  async take(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const { text, resolve } = await this.#next();
      this.taken.push(text);
      resolve();
    }
  }

  async refuse(): Promise<void> {
    (await this.#next()).reject(new Error("refused"));
  }

  async #next() {
    await until("a message", 5_000, () => this.#waiting.length > 0);
    return this.#waiting.shift()!;
  }
}

const values = new Map<string, string>();
let broker: SlowBroker;
let log: MemoryLog;
let states: RetainedStates;

beforeEach(() => {
  values.clear();
  broker = new SlowBroker();
  log = new MemoryLog();
  const described = {
    describe(id: string) {
      const payload = values.get(id);
      if (payload === undefined) return undefined;
      return {
        configs: [{ topic: `config/${id}`, payload: id }],
        states: [{ topic: `state/${id}`, payload }],
      };
    },
    topics: (id: string) => [`config/${id}`, `state/${id}`],
  };
  states = new RetainedStates(
    described,
    (topic, payload) => broker.publish(topic, payload),
    new RateLimitedLog(log),
  );
});

function set(id: string, value: string): void {
  values.set(id, value);
  states.mark(id);
}

describe("retained states", () => {
  test("are sent after what describes them, which is sent once", async () => {
    set("a", "1");
    await broker.take(2);
    set("a", "2");
    await broker.take(1);
    expect(broker.taken).toEqual(["config/a=a", "state/a=1", "state/a=2"]);
  });

  test("wait for a slow broker in their latest form, one message at a time", async () => {
    set("a", "1");
    await until("the first message", 5_000, () => broker.waiting === 1);
    for (let n = 0; n < 1_000; n += 1) {
      set("a", `n${n}`);
      set("b", `n${n}`);
    }
    await Bun.sleep(0);
    expect(broker.waiting).toBe(1);
    await broker.take(5);
    expect(broker.taken).toEqual(["config/a=a", "state/a=1", "state/a=n999", "config/b=b", "state/b=n999"]);
    await Bun.sleep(0);
    expect(broker.waiting).toBe(0);
  });

  test("are not sent again while nothing changes, but all of them for a new connection", async () => {
    set("a", "1");
    await broker.take(2);
    set("a", "1");
    set("b", "1");
    await broker.take(2);
    states.markAll(["a", "b"]);
    await broker.take(4);
    expect(broker.taken.slice(2)).toEqual([
      "config/b=b",
      "state/b=1",
      "config/a=a",
      "state/a=1",
      "config/b=b",
      "state/b=1",
    ]);
  });

  test("are cleared with what they describe", async () => {
    set("a", "1");
    await broker.take(2);
    values.clear();
    states.mark("a");
    await broker.take(2);
    expect(broker.taken.slice(2)).toEqual(["config/a=", "state/a="]);
  });

  test("that the broker refuses are logged, and are sent whole with the next change", async () => {
    set("a", "1");
    await broker.refuse();
    await until("the log", 5_000, () => log.lines.length === 1);
    expect(log.lines[0]).toContain("does not take a state");
    set("a", "2");
    await broker.take(2);
    expect(broker.taken).toEqual(["config/a=a", "state/a=2"]);
  });

  test("are not sent after the end", async () => {
    states.close();
    set("a", "1");
    await Bun.sleep(0);
    expect(broker.waiting).toBe(0);
  });
});
