import { expect, test } from "bun:test";
import { TroubleJournal } from "../journal.ts";
import { type Connection, DeviceLedger, gapsOf } from "./device-ledger.ts";
import { markedPcm } from "./marked-audio.ts";

const frameSamples = 160;

/** A device that has sent frames every 20 ms over one connection, until `endedAt`. */
function ledgerOf(frames: number, state: Connection["state"], machine = 1) {
  const ledger = new DeviceLedger("device", markedPcm);
  const connection = ledger.connect();
  for (let frame = 0; frame < frames; frame += 1) ledger.send(connection);
  connection.sentAt = Array.from({ length: frames }, (_, frame) => 20 * frame);
  Object.assign(connection, { state, machine, endedAt: 20 * frames });
  return ledger;
}

const run = (firstFrame: number, frames: number) => ({
  first: firstFrame * frameSamples,
  count: frames * frameSamples,
});

const noTrouble = new TroubleJournal();

test("all audio of a connection that was closed has to be there, once", () => {
  const ledger = ledgerOf(100, "closed");
  expect(ledger.faults([run(1, 60), run(61, 40)], noTrouble)).toEqual([]);
  expect(ledger.faults([run(61, 40), run(1, 60)], noTrouble)).toEqual([]);
  expect(ledger.faults([run(1, 60), run(62, 39)], noTrouble)[0]).toStartWith(
    "lost 9760 to 9920 of 160 to 16160",
  );
  expect(ledger.faults([run(1, 61), run(61, 40)], noTrouble)[0]).toStartWith("samples are there twice");
  expect(ledger.faults([run(1, 101)], noTrouble)[0]).toStartWith("samples that were never sent");
});

test("a connection that was lost may have lost its last seconds", () => {
  const ledger = ledgerOf(200, "lost");
  expect(ledger.faults([run(1, 76)], noTrouble)).toEqual([]);
  expect(ledger.faults([run(1, 74)], noTrouble)[0]).toStartWith("lost");
});

test("a server that was frozen before has got nothing since then, another one has", () => {
  const journal = new TroubleJournal();
  journal.all.push({ kind: "freeze", machine: 1, began: 3_000, ended: 3_900 });
  expect(ledgerOf(200, "lost", 1).faults([run(1, 26)], journal)).toEqual([]);
  expect(ledgerOf(200, "lost", 2).faults([run(1, 26)], journal)).not.toEqual([]);
});

test("gaps are what no run covers", () => {
  expect(gapsOf({ first: 10, count: 90 }, [])).toEqual([{ first: 10, count: 90 }]);
  expect(
    gapsOf({ first: 10, count: 90 }, [
      { first: 0, count: 20 },
      { first: 30, count: 10 },
      { first: 95, count: 100 },
    ]),
  ).toEqual([
    { first: 20, count: 10 },
    { first: 40, count: 55 },
  ]);
});
