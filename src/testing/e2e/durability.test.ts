/**
 * Crashes: the server is killed with SIGKILL at each numbered step of its writes and at random moments, while several
 * connections upload and another removes streams. Then it starts on the same folder and must have kept its promises.
 * Fifty rounds, each on the folder that the round before left.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random, seeded, sha256 } from "../harness/bytes.ts";
import { debrisAfterCheck, lostAndFound } from "../harness/cache-folder.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";
import { UploadLedger, type Upload } from "../harness/upload-ledger.ts";

useServers();

const connections = 4;
/** A round starts the server twice, which takes over a second each on a busy machine. */
const roundsLimitMs = 180_000;
/** A server that is still alive after this has not reached its fail point. */
const roundLimitMs = 8_000;
/** Time for the process to exit after its connections are gone. */
const crashLimitMs = 2_000;
const killedCode = 128 + 9;
/** Keep this many acknowledged streams from removal, so that each round has something to lose. */
const streamsLeftAlone = 10;

/** One crash: how to start the server, and how to kill it if it does not kill itself. */
interface Round {
  what: string;
  failpoints: string;
  killWhen: ((ledger: UploadLedger) => Promise<void>) | undefined;
}

function atFailpoint(random: Random, name: string): Round {
  const failpoints = `${name}*${random.int(1, 3)}=kill`;
  return { what: failpoints, failpoints, killWhen: undefined };
}

function afterRandomTime(random: Random): Round {
  const delayMs = random.int(0, 80);
  return { what: `kill after ${delayMs} ms`, failpoints: "", killWhen: async () => await Bun.sleep(delayMs) };
}

function rightAfterAcknowledgement(random: Random): Round {
  const wanted = random.int(1, 8);
  return {
    what: `kill at acknowledgement ${wanted}`,
    failpoints: "",
    killWhen: async (ledger) => {
      const before = ledger.acknowledged.length;
      const isThere = (): boolean => ledger.acknowledged.length >= before + wanted;
      await until(`${wanted} acknowledgements`, roundLimitMs, isThere);
    },
  };
}

/** Uploads streams one after the other until the server dies; throws at any other failure. */
async function uploadUntilDeath(
  peer: AudioCachePeer,
  ledger: UploadLedger,
  leftOver: Upload[],
): Promise<void> {
  const deadline = performance.now() + roundLimitMs;
  try {
    for (const upload of leftOver) await ledger.run(peer, upload);
    while (performance.now() < deadline) await ledger.run(peer, ledger.newUpload());
  } catch (error) {
    if (peer.socket.isOpen) throw error;
  } finally {
    peer[Symbol.dispose]();
  }
}

/** Removes streams until the server dies, but keeps some; throws at any other failure. */
async function removeUntilDeath(server: TestServer, ledger: UploadLedger): Promise<void> {
  const deadline = performance.now() + roundLimitMs;
  try {
    while (server.isRunning && performance.now() < deadline) {
      if (ledger.kept.length > streamsLeftAlone) await ledger.removeOne(server);
      else await Bun.sleep(1);
    }
  } catch (error) {
    const died = await server.waitForExit(crashLimitMs).catch(() => undefined);
    if (died !== killedCode) throw error;
  }
}

/** Kills the server when `killWhen` resolves, or at the limit, so that no round waits forever. */
async function killInRound(server: TestServer, ledger: UploadLedger, round: Round): Promise<void> {
  if (round.killWhen === undefined) return;
  try {
    await round.killWhen(ledger);
  } finally {
    await server.kill9();
  }
}

/** One round: starts the server, crashes it amid uploads, leaves it dead. */
async function crash(server: TestServer, ledger: UploadLedger, round: Round): Promise<void> {
  await server.restart({ env: round.failpoints === "" ? {} : { WAVECACHE_FAILPOINTS: round.failpoints } });
  const leftOver = ledger.unacknowledged;
  const opening = Array.from({ length: connections }, async () => await AudioCachePeer.open(server.url));
  const uploaders = (await Promise.all(opening)).map(async (peer, index) => {
    // Half of the connections first resume uploads that earlier crashes interrupted.
    const share = index % 2 === 0 ? leftOver.filter((_, at) => at % connections === index) : [];
    await uploadUntilDeath(peer, ledger, share);
  });
  const actors = [...uploaders, removeUntilDeath(server, ledger), killInRound(server, ledger, round)];
  const failed = (await Promise.allSettled(actors)).find((outcome) => outcome.status === "rejected");
  if (failed !== undefined)
    throw new Error(`in round "${round.what}": ${String(failed.reason)}\n${server.log}`);
  const code = await server.waitForExit(crashLimitMs);
  if (code !== killedCode) throw new Error(`round "${round.what}" ended with ${code}:\n${server.log}`);
}

/** Starts the server without fail points and checks it against the ledger. */
async function judge(server: TestServer, ledger: UploadLedger, what: string, read: Upload[]): Promise<void> {
  await server.restart({ env: {} });
  using peer = await AudioCachePeer.open(server.url);
  const faults = await ledger.faults(server);
  if (faults.length === 0) faults.push(...(await ledger.unreadable(peer, read)));
  if (faults.length > 0) throw new Error(`after "${what}":\n${faults.join("\n")}\n${server.log}`);
}

async function crashRounds(random: Random, rounds: Round[], catalog?: string): Promise<void> {
  await using server = await TestServer.start({ flags: catalog === undefined ? {} : { catalog } });
  const ledger = new UploadLedger(random);
  for (const round of rounds) {
    const before = new Set(ledger.kept);
    await crash(server, ledger, round);
    const fresh = ledger.kept.filter((upload) => !before.has(upload));
    await judge(server, ledger, round.what, fresh);
    await server.kill9();
  }
  await finishAll(server, ledger);
}

/** After the last crash every interrupted upload can still be finished, and then all audio is there. */
async function finishAll(server: TestServer, ledger: UploadLedger): Promise<void> {
  await server.restart({ env: {} });
  using peer = await AudioCachePeer.open(server.url);
  for (const upload of ledger.unacknowledged) await ledger.run(peer, upload);
  expect(ledger.acknowledged.length).toBe(ledger.uploads.size);
  await judge(server, ledger, "every upload was finished", ledger.kept);
}

const commitSteps = ["commit.1", "commit.2", "commit.3", "commit.4", "commit.5", "commit.6"];
const uploadSteps = ["upload.open", "upload.write", "upload.seal"];

test(
  "killed right after each step of a commit, the server keeps every acknowledged stream and no orphans",
  seeded(async (random) => {
    const rounds = [...commitSteps, ...commitSteps, ...commitSteps].map((name) => atFailpoint(random, name));
    await crashRounds(random, rounds);
  }),
  roundsLimitMs,
);

test(
  "killed while it opens, writes or seals an upload, the server keeps every acknowledged stream and no orphans",
  seeded(async (random) => {
    const rounds = [...uploadSteps, ...uploadSteps, ...uploadSteps].map((name) => atFailpoint(random, name));
    await crashRounds(random, rounds);
  }),
  roundsLimitMs,
);

test(
  "killed at random moments or at an acknowledgement, the server keeps every acknowledged stream",
  seeded(async (random) => {
    const rounds = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0 ? afterRandomTime(random) : rightAfterAcknowledgement(random),
    );
    await crashRounds(random, rounds);
  }),
  roundsLimitMs,
);

test.skipIf(postgresPrograms === undefined)(
  "with its catalog in PostgreSQL, the server keeps every acknowledged stream, whenever it is killed",
  seeded(async (random) => {
    const steps = [random.pick(commitSteps), random.pick(commitSteps), random.pick(uploadSteps)];
    const rounds = [
      ...steps.map((name) => atFailpoint(random, name)),
      afterRandomTime(random),
      rightAfterAcknowledgement(random),
      rightAfterAcknowledgement(random),
    ];
    await crashRounds(random, rounds, postgresServer().createSchema());
  }),
  roundsLimitMs,
);

test("a start sets files aside that belong to no stream, and only those", async () => {
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  const audio = new Random(1).bytes(50_000);
  await peer.upload("finished", audio);
  await peer.start("unfinished");
  await peer.sendAudio(audio);
  await peer.untilReceived("unfinished", audio.length);
  await server.kill9();
  const stray = `${"ab".repeat(32)}`;
  await Bun.write(join(server.cacheDir, "objects-v1", "ab", stray), audio);
  await Bun.write(join(server.cacheDir, "objects-v1", "ab", `${stray}.tmp`), audio);
  await Bun.write(join(server.cacheDir, "incoming", "stray"), audio);
  await server.restart();
  expect(await debrisAfterCheck(server.cacheDir, server.httpBase)).toEqual([]);
  expect(await lostAndFound(server.cacheDir)).toEqual([
    `incoming/stray`,
    `objects/${stray}`,
    `objects/${stray}.tmp`,
  ]);
  await until("the warning", 5_000, () => /files=3 bytes=150000 folder=\S+lost\+found/.test(server.log));
  using next = await AudioCachePeer.open(server.url);
  expect(sha256(await next.download("finished", audio.length))).toBe(sha256(audio));
  expect(await next.resume("unfinished")).toBe(audio.length);
  expect((await next.stop("unfinished")).sha256).toBe(sha256(audio));
});
