import { describe, expect, test } from "bun:test";
import type { Fields } from "../base/log/log.ts";
import { Audit, type AuditEntry } from "./audit.ts";

function entry(at: number): AuditEntry {
  const outcome = "FORBIDDEN" as const;
  return { at, principal: "token:a", action: "remove", resource: "streams/a", address: "10.0.0.1", outcome };
}

function opened(): { audit: Audit; lines: Fields[] } {
  const lines: Fields[] = [];
  const write = (_: string, fields?: Fields) => void lines.push(fields ?? {});
  return { audit: new Audit({ debug: write, info: write, warn: write, error: write }), lines };
}

describe("the audit", () => {
  test("has the last ten thousand entries, the newest first", () => {
    const { audit } = opened();
    for (let at = 0; at < 10_003; at++) audit.record(entry(at));
    expect(audit.last(2).map(({ at }) => at)).toEqual([10_002, 10_001]);
    const all = audit.last(20_000);
    expect(all.length).toBe(10_000);
    expect(all.at(-1)!.at).toBe(3);
  });

  test("writes a line for each entry, up to a hundred a second, and counts the others", () => {
    const { audit, lines } = opened();
    for (let left = 150; left > 0; left--) audit.record(entry(1000));
    expect(lines.length).toBe(100);
    expect(lines[0]).toEqual({
      principal: "token:a",
      action: "remove",
      resource: "streams/a",
      address: "10.0.0.1",
      outcome: "FORBIDDEN",
    });
    audit.record(entry(2000));
    expect(lines.at(-1)).toMatchObject({ suppressed: 50 });
  });
});
