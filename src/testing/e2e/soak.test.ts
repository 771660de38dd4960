/** The short form of `bun run test:soak`. */
import { expect, test } from "bun:test";
import { seeded } from "../harness/bytes.ts";
import { useServers } from "../harness/server.ts";
import { roundLine, summary } from "../soak/report.ts";
import { soak } from "../soak/soak.ts";

useServers();

const kills = 5;

test(
  `killed ${kills} times under a mixed load, the server keeps all that it has acknowledged`,
  seeded(async (random) => {
    const lines: string[] = [];
    const onRound = (round: Parameters<typeof roundLine>[0]) => lines.push(roundLine(round, kills));
    const rounds = await soak(random, { kills, limitMs: 40_000, onRound });
    expect(rounds.flatMap((round) => round.faults)).toEqual([]);
    expect(lines.length).toBe(kills);
    expect(rounds.at(-1)!.acknowledged).toBeGreaterThan(0);
    expect(summary(rounds, 1)).toContain(`${kills} kills`);
  }),
);
