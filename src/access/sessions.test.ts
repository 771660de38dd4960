import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { maxAgentChars, maxSessions, maxUnknownCookies } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import type { KeeperArgs, KeeperResult } from "../store/keeper-calls.ts";
import type { StoredSession } from "../store/sessions/catalog.ts";
import { SessionKeeper } from "../store/sessions/keeper.ts";
import { SqliteCatalog } from "../store/streams/sqlite/catalog.ts";
import { Grants } from "./grants.ts";
import { Principal } from "./principal.ts";
import { Sessions, type SessionStoreCall } from "./sessions.ts";

const none = () => {};
const log: Log = { debug: none, info: none, warn: none, error: none };

let catalog: SqliteCatalog;
let keeper: SessionKeeper;
let calls: SessionStoreCall[];
/** What calls fail with; they do not fail while it is undefined. */
let fault: WavecacheError | undefined;
/** Runs before the answer of a call is delivered. */
let beforeAnswer: (call: SessionStoreCall) => Promise<void>;
/** Tokens that have ended. */
let revoked: Map<string, AbortController>;
let opened: Sessions[];

beforeEach(() => {
  catalog = new SqliteCatalog(":memory:");
  keeper = new SessionKeeper(catalog);
  calls = [];
  fault = undefined;
  beforeAnswer = async () => {};
  revoked = new Map();
  opened = [];
});

afterEach(async () => {
  for (const sessions of opened) await sessions.stop();
  catalog.close();
  setSystemTime();
});

function passTime(): void {
  setSystemTime(Date.now() + 1_000);
}

const handlers: { [C in SessionStoreCall]: (args: KeeperArgs<C>) => KeeperResult<C> } = {
  openSession: (session) => keeper.open(session),
  findSession: ({ sha256 }) => keeper.find(sha256),
  presentSessions: ({ sha256s }) => keeper.present(sha256s),
  listSessions: ({ at }) => keeper.list(at),
  useSessions: (args) => keeper.use(args),
  endSession: (args) => keeper.end(args),
};

const store = {
  async call<C extends SessionStoreCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    calls.push(call);
    if (fault !== undefined) throw fault;
    const result = handlers[call](args);
    await beforeAnswer(call);
    return result;
  },
};

function tokenOf(id: string): AbortController {
  const token = revoked.get(id) ?? new AbortController();
  revoked.set(id, token);
  return token;
}

function opener(id: string): Principal {
  const facts = { grants: Grants.everything, address: "10.0.0.1", ended: tokenOf(id).signal };
  return new Principal({ kind: "token", id, ...facts });
}

async function openersOf(sessions: readonly StoredSession[]): Promise<(Principal | undefined)[]> {
  return sessions.map(({ subject }) => (tokenOf(subject).signal.aborted ? undefined : opener(subject)));
}

/** Of another node. */
function sessionOf(number: number): StoredSession {
  const [id, now] = [String(number), Date.now()];
  const ofToken = { kind: "token", subject: "b", jwt: null } as const;
  const times = { openedAt: now, expiresAt: now + 60_000, usedAt: now };
  return { sha256: id, id, ...ofToken, ...times, address: "", agent: "" };
}

/** The sessions as one node of the catalog has them. */
function node(): Sessions {
  const sessions = new Sessions(store, { openersOf, jwtVerifier: undefined }, log);
  opened.push(sessions);
  return sessions;
}

async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    return toWavecacheError(error).code;
  }
  return "right";
}

describe("sessions", () => {
  test("are listed with their last use, and never with their cookies", async () => {
    const sessions = node();
    const first = await sessions.open(opener("a"), "Firefox");
    await sessions.open(opener("b"), "x".repeat(1_000));
    passTime();
    expect((await sessions.find(first, "10.0.0.9"))!.address).toBe("10.0.0.9");
    const [last, other] = await sessions.list();
    expect(last).toMatchObject({ principal: "token:a", agent: "Firefox", address: "10.0.0.9" });
    expect(other).toMatchObject({ principal: "token:b", address: "10.0.0.1" });
    expect(other!.agent.length).toBe(maxAgentChars);
    expect(sessions.idOf(first)).toBe(last!.id);
    expect(JSON.stringify(await sessions.list())).not.toContain(first);
  });

  test("end by their ids, with what they have open, and leave others alone", async () => {
    const sessions = node();
    const [one, two] = [await sessions.open(opener("a"), ""), await sessions.open(opener("a"), "")];
    const [used, kept] = [await sessions.find(one, ""), await sessions.find(two, "")];
    expect(await sessions.end(sessions.idOf(one)!)).toBe(true);
    expect(used!.ended.aborted).toBe(true);
    expect(await sessions.find(one, "")).toBeUndefined();
    expect(kept!.ended.aborted).toBe(false);
    expect(await sessions.end("none")).toBe(false);
    await sessions.close(two);
    expect(kept!.ended.aborted).toBe(true);
    expect(await sessions.list()).toEqual([]);
  });

  test("end with the token that opened them", async () => {
    const sessions = node();
    const [cookie, unused] = [await sessions.open(opener("a"), ""), await sessions.open(opener("a"), "")];
    const used = await sessions.find(cookie, "");
    tokenOf("a").abort();
    expect(used!.isOver).toBe(true);
    expect(await sessions.list()).toEqual([]);
    expect(await sessions.find(cookie, "")).toBeUndefined();
    expect(await sessions.find(unused, "")).toBeUndefined();
  });

  test("end for a new one when there are too many, the one that was used longest ago first", async () => {
    const sessions = node();
    const [oldest, used] = [await sessions.open(opener("a"), ""), await sessions.open(opener("a"), "")];
    const principal = await sessions.find(oldest, "");
    passTime();
    await sessions.find(used, "");
    passTime();
    catalog.transaction(() => {
      for (let count = 2; count < maxSessions; count++) catalog.sessions.enter(sessionOf(count));
    }, false);
    await sessions.open(opener("b"), "");
    expect(principal!.ended.aborted).toBe(true);
    expect(await sessions.find(oldest, "")).toBeUndefined();
    expect(await sessions.find(used, "")).toBeDefined();
  });

  test("are looked up once, even if requests arrive together, and then answered from memory", async () => {
    const cookie = await node().open(opener("a"), "");
    const other = node();
    calls = [];
    const [first, second] = await Promise.all([other.find(cookie, "1.1.1.1"), other.find(cookie, "1.1.1.2")]);
    expect([first!.address, second!.address]).toEqual(["1.1.1.1", "1.1.1.2"]);
    expect(other.find(cookie, "")).toBeInstanceOf(Principal);
    expect(calls).toEqual(["findSession"]);
    await other.end(other.idOf(cookie)!);
    expect([first!.ended.aborted, second!.ended.aborted]).toEqual([true, true]);
  });

  test("go on from memory while the catalog is away, and others get its error", async () => {
    const sessions = node();
    const [used, unused] = [await sessions.open(opener("a"), ""), await sessions.open(opener("a"), "")];
    await sessions.find(used, "");
    fault = new WavecacheError("CATALOG_UNAVAILABLE");
    expect(sessions.find(used, "")).toBeInstanceOf(Principal);
    expect(await codeOf(() => sessions.find(unused, ""))).toBe("CATALOG_UNAVAILABLE");
    expect(await codeOf(() => sessions.close(used))).toBe("CATALOG_UNAVAILABLE");
    expect(sessions.find(used, "")).toBeInstanceOf(Principal);
    fault = undefined;
    expect(await sessions.find(unused, "")).toBeDefined();
  });

  test("outlast a restart, with their last use", async () => {
    const before = node();
    const cookie = await before.open(opener("a"), "Firefox");
    passTime();
    await before.find(cookie, "10.0.0.7");
    const [listed] = await before.list();
    await before.stop();
    const after = node();
    expect(await after.list()).toEqual([listed!]);
    expect((await after.find(cookie, ""))!.name).toBe("token:a");
  });
});

describe("the end of a session at another node", () => {
  test("ends it here with what it has open, and no other", async () => {
    const [a, b] = [node(), node()];
    const [cookie, other] = [await a.open(opener("a"), ""), await a.open(opener("a"), "")];
    const [used, kept] = [await b.find(cookie, ""), await b.find(other, "")];
    await a.close(cookie);
    await b.endedElsewhere();
    expect([used!.ended.aborted, kept!.ended.aborted]).toEqual([true, false]);
    expect(await b.find(cookie, "")).toBeUndefined();
    expect(b.find(other, "")).toBeInstanceOf(Principal);
  });

  test("counts even while the session is being looked up", async () => {
    const [a, b] = [node(), node()];
    const cookie = await a.open(opener("a"), "");
    await a.find(cookie, "");
    beforeAnswer = async (call) => {
      if (call !== "findSession") return;
      beforeAnswer = async () => {};
      await a.close(cookie);
      await b.endedElsewhere();
    };
    expect(await b.find(cookie, "")).toBeUndefined();
  });
});

describe("a cookie without a session", () => {
  test("is looked up once", async () => {
    const sessions = node();
    expect(await sessions.find("wrong", "")).toBeUndefined();
    expect(sessions.find("wrong", "")).toBeUndefined();
    await sessions.close("wrong");
    expect(calls).toEqual(["findSession"]);
  });

  test("blocks look-ups for its address after a thousand within a minute, and no session in use", async () => {
    const sessions = node();
    const [used, unused] = [await sessions.open(opener("a"), ""), await sessions.open(opener("a"), "")];
    await sessions.find(used, "10.0.0.1");
    for (let at = 0; at < maxUnknownCookies; at++) await sessions.find(`wrong ${at}`, "10.0.0.1");
    calls = [];
    expect(await codeOf(() => sessions.find("another", "10.0.0.1"))).toBe("GUESSES_EXHAUSTED");
    expect(sessions.find(used, "10.0.0.1")).toBeInstanceOf(Principal);
    expect(calls).toEqual([]);
    expect(await sessions.find(unused, "10.0.0.2")).toBeDefined();
  });
});
