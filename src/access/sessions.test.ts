import { describe, expect, test } from "bun:test";
import { maxAgentChars, maxSessions } from "../base/limits/access.ts";
import { Grants } from "./grants.ts";
import { Principal } from "./principal.ts";
import { Sessions } from "./sessions.ts";

function opener(id: string, ended = new AbortController().signal): Principal {
  return new Principal({ kind: "token", id, grants: Grants.everything, address: "10.0.0.1", ended });
}

describe("sessions", () => {
  test("are listed with their last use, and never with their cookies", () => {
    const sessions = new Sessions();
    const first = sessions.open(opener("a"), "Firefox");
    sessions.open(opener("b"), "x".repeat(1_000));
    expect(sessions.find(first, "10.0.0.9")!.address).toBe("10.0.0.9");
    const [last, other] = sessions.list();
    expect(last).toMatchObject({ principal: "token:a", agent: "Firefox", address: "10.0.0.9" });
    expect(other).toMatchObject({ principal: "token:b", address: "10.0.0.1" });
    expect(other!.agent.length).toBe(maxAgentChars);
    expect(sessions.idOf(first)).toBe(last!.id);
    expect(JSON.stringify(sessions.list())).not.toContain(first);
  });

  test("end by their ids, with what they have open, and leave others alone", () => {
    const sessions = new Sessions();
    const [one, two] = [sessions.open(opener("a"), ""), sessions.open(opener("a"), "")];
    const [used, kept] = [sessions.find(one, ""), sessions.find(two, "")];
    expect(sessions.end(sessions.idOf(one)!)).toBe(true);
    expect(used!.ended.aborted).toBe(true);
    expect(sessions.find(one, "")).toBeUndefined();
    expect(kept!.ended.aborted).toBe(false);
    expect(sessions.end("none")).toBe(false);
    sessions.close(two);
    expect(kept!.ended.aborted).toBe(true);
    expect(sessions.list()).toEqual([]);
  });

  test("end with the token that opened them", () => {
    const sessions = new Sessions();
    const token = new AbortController();
    const cookie = sessions.open(opener("a", token.signal), "");
    token.abort();
    expect(sessions.list()).toEqual([]);
    expect(sessions.find(cookie, "")).toBeUndefined();
  });

  test("end for a new one when there are too many, the one that was not used for longest first", () => {
    const sessions = new Sessions();
    const [oldest, used] = [sessions.open(opener("a"), ""), sessions.open(opener("a"), "")];
    const principal = sessions.find(oldest, "")!;
    sessions.find(used, "");
    for (let count = 2; count <= maxSessions; count++) sessions.open(opener("b"), "");
    expect(principal.ended.aborted).toBe(true);
    expect(sessions.find(oldest, "")).toBeUndefined();
    expect(sessions.find(used, "")).toBeDefined();
  });
});
