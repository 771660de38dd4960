import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { describeFrame } from "../harness/peers/websocket-frames.ts";

useServers();

const audio = Buffer.from("some audio");

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

async function openPeer(): Promise<AudioCachePeer> {
  return await AudioCachePeer.open(server.url);
}

test("STARTED and STOPPED are compact JSON with their keys in order", async () => {
  using peer = await openPeer();
  const id = freshId("compact");
  const started = await peer.start(id);
  const startedHead = `{"type":"STARTED","streamId":"${id}","message":"Stream started successfully"`;
  expect(started.text).toBe(`${startedHead},"resumable":true}`);
  peer.socket.binary(audio);
  const stopped = await peer.stop(id);
  const stoppedHead = `{"type":"STOPPED","streamId":"${id}","message":"Stream finalized successfully"`;
  expect(stopped.text).toBe(`${stoppedHead},"size":10,"sha256":"${sha256(audio)}"}`);
});

test("ERROR is compact JSON of type and message alone", async () => {
  using peer = await openPeer();
  peer.send({ type: "FOO" });
  const reply = await peer.expectError("Unknown message type: FOO");
  expect(reply.text).toBe(JSON.stringify({ type: "ERROR", message: reply.message }));
});

const spellings = [
  ["START", "STARTED", "STOP", "STOPPED", "GET"],
  ["start", "started", "stop", "stopped", "get"],
  ["Start", "Started", "Stop", "Stopped", "Get"],
] as const;

for (const [start, started, stop, stopped, get] of spellings) {
  test(`${start} is answered ${started}, and ${stop} is answered ${stopped}`, async () => {
    using peer = await openPeer();
    const id = freshId("case");
    peer.send({ type: start, streamId: id });
    expect((await peer.expectControl("STARTED", id)).type).toBe(started);
    peer.socket.binary(audio);
    peer.send({ type: stop, streamId: id });
    expect((await peer.expectControl("STOPPED", id)).type).toBe(stopped);
    peer.send({ type: get, streamId: id });
    expect((await peer.expectBinary()).equals(audio)).toBe(true);
  });
}

const spelledStarts: [string, (id: string) => string][] = [
  ["spaces after colons and commas", (id) => `{ "type": "START", "streamId": "${id}" }`],
  ["line breaks and indents", (id) => JSON.stringify({ type: "START", streamId: id }, null, "\t")],
  ["space around the object", (id) => ` \r\n{"type":"START","streamId":"${id}"}\n `],
  ["keys in another order", (id) => `{"streamId":"${id}","type":"START"}`],
  [
    "unknown keys",
    (id) => JSON.stringify({ type: "START", streamId: id, format: "wav", x: { y: [1, null] } }),
  ],
  ["null fields", (id) => `{"type":"START","streamId":"${id}","offset":null,"length":null,"message":null}`],
  ["a null resume", (id) => `{"type":"START","streamId":"${id}","resume":null}`],
  ["escaped characters", (id) => `{"type":"\\u0053TART","streamId":"\\u0061${id.slice(1)}"}`],
];

for (const [what, spell] of spelledStarts) {
  test(`a START with ${what} is understood`, async () => {
    using peer = await openPeer();
    const id = freshId("a-spelled");
    peer.socket.text(spell(id));
    await peer.expectControl("STARTED", id);
    peer.socket.binary(audio);
    expect((await peer.stop(id)).sha256).toBe(sha256(audio));
  });
}

test("STOP without streamId, or with a null one, finishes the connection's current stream", async () => {
  for (const fields of [{}, { streamId: null }]) {
    using peer = await openPeer();
    const id = freshId("stop-current");
    await peer.start(id);
    peer.socket.binary(audio);
    peer.send({ type: "STOP", ...fields });
    expect((await peer.expectControl("STOPPED", id)).size).toBe(audio.length);
  }
});

test("STOP without streamId and without a current stream is an ERROR", async () => {
  using peer = await openPeer();
  peer.send({ type: "STOP" });
  await peer.expectError(/^(Missing streamId|Failed to finalize stream|No active stream)/);
  await peer.upload(freshId("after"), audio);
});

test("START of an id in use is rejected on any connection, whether the stream is finished or not", async () => {
  using holder = await openPeer();
  using other = await openPeer();
  const id = freshId("used");
  await holder.start(id);
  holder.socket.binary(audio);
  for (const peer of [other, holder]) {
    peer.send({ type: "START", streamId: id });
    await peer.expectError(`Failed to create stream: ${id}`);
  }
  expect((await holder.stop(id)).sha256).toBe(sha256(audio));
  for (const peer of [other, holder]) {
    peer.send({ type: "START", streamId: id });
    await peer.expectError(`Failed to create stream: ${id}`);
  }
  expect((await other.read(id, 0, 100)).equals(audio)).toBe(true);
});

test("if ten connections START one id at once, exactly one succeeds", async () => {
  const id = freshId("race");
  const peers = await Promise.all(Array.from({ length: 10 }, openPeer));
  for (const peer of peers) peer.send({ type: "START", streamId: id });
  const answers = await Promise.all(peers.map(async (peer) => describeFrame(await peer.next())));
  const winners = peers.filter((_, index) => answers[index]!.includes('"STARTED"'));
  expect(winners.length, answers.join("\n")).toBe(1);
  expect(answers.filter((answer) => answer.includes(`Failed to create stream: ${id}`)).length).toBe(9);
  winners[0]!.socket.binary(audio);
  expect((await winners[0]!.stop(id)).sha256).toBe(sha256(audio));
  for (const peer of peers) peer[Symbol.dispose]();
});

test("START and GET without a streamId are answered Missing streamId", async () => {
  using peer = await openPeer();
  for (const type of ["START", "GET", "start"]) {
    for (const fields of [{}, { streamId: null }]) {
      peer.send({ type, ...fields });
      await peer.expectError("Missing streamId");
    }
  }
});

test("the ERROR names an unknown type as it was spelled", async () => {
  using peer = await openPeer();
  for (const type of ["FOO", "foo", "STARTED", "PING"]) {
    peer.send({ type, streamId: "x" });
    await peer.expectError(`Unknown message type: ${type}`);
  }
});

test("a message without a usable type is an ERROR", async () => {
  using peer = await openPeer();
  for (const message of [{}, { type: null }, { type: 5 }, { type: "" }, { streamId: "x" }]) {
    peer.send(message);
    await peer.expectError(/^Unknown message type: ?|^Invalid JSON format/);
  }
});

test("text that is not JSON is answered Invalid JSON format", async () => {
  using peer = await openPeer();
  const texts = [
    "hello",
    "",
    "{",
    '{"type":"START"',
    "{'type':'START'}",
    "\u0000",
    "nul",
    '{"type":"STOP"}{}',
  ];
  for (const text of texts) {
    peer.socket.text(text);
    await peer.expectError("Invalid JSON format");
  }
});

test("JSON that is not an object is an ERROR", async () => {
  using peer = await openPeer();
  for (const text of ["[]", "42", "null", '"START"', "true", '[{"type":"START","streamId":"x"}]']) {
    peer.socket.text(text);
    await peer.expectError(/^Invalid JSON format|^Unknown message type/);
  }
});

test("JSON nested ten thousand deep is answered as usual and does not crash the server", async () => {
  using peer = await openPeer();
  peer.socket.text(`{"type":"FOO","x":${"[".repeat(10_000)}${"]".repeat(10_000)}}`);
  await peer.expectError(/^Unknown message type: FOO|^Invalid JSON format/);
  await peer.expectQuiet();
});

test("a control message of a megabyte is rejected, and the server keeps working", async () => {
  using peer = await openPeer();
  peer.send({ type: "START", streamId: freshId("long"), padding: "x".repeat(1024 * 1024) });
  await peer.expectError(/./);
  await peer.upload(freshId("after"), audio);
});

test("STOP of an unknown stream is answered Failed to finalize stream", async () => {
  using peer = await openPeer();
  const id = freshId("unknown");
  peer.send({ type: "STOP", streamId: id });
  await peer.expectError(`Failed to finalize stream: ${id}`);
});

test("STOP of an unknown id leaves the current stream alone", async () => {
  using peer = await openPeer();
  const id = freshId("kept");
  await peer.start(id);
  peer.socket.binary(audio);
  peer.send({ type: "STOP", streamId: freshId("unknown") });
  await peer.expectError(/^Failed to finalize stream: /);
  expect((await peer.stop(id)).size).toBe(audio.length);
});

test("GET of an unknown stream is answered Failed to read from stream", async () => {
  using peer = await openPeer();
  const id = freshId("unknown");
  peer.get(id, 0, 100);
  await peer.expectError(`Failed to read from stream: ${id}`);
  peer.get(id, 5, 100);
  await peer.expectError(`Failed to read from stream: ${id}`);
});

test("audio without a stream is answered No active stream for binary data, before a START and after a STOP", async () => {
  using peer = await openPeer();
  peer.socket.binary(audio);
  await peer.expectError("No active stream for binary data");
  const id = freshId("inactive");
  await peer.upload(id, audio);
  peer.socket.binary(audio);
  await peer.expectError("No active stream for binary data");
  expect((await peer.read(id, 0, 100)).equals(audio)).toBe(true);
});

test("audio sent after a rejected START goes into no stream, and after the answer it is an ERROR", async () => {
  using peer = await openPeer();
  const used = freshId("refused");
  const open = freshId("open");
  await peer.upload(used, audio);
  await peer.start(open);
  peer.socket.binary(audio);
  peer.send({ type: "START", streamId: used });
  peer.socket.binary(Buffer.from("sent before the rejection arrives"));
  await peer.expectError(`Failed to create stream: ${used}`);
  peer.socket.binary(Buffer.from("sent after it"));
  await peer.expectError("No active stream for binary data");
  expect((await peer.read(used, 0, 100)).equals(audio)).toBe(true);
  expect((await peer.stop(open)).sha256).toBe(sha256(audio));
});

test("GET with an offset or a length that is not a byte count is an ERROR", async () => {
  using peer = await openPeer();
  const id = freshId("counts");
  await peer.upload(id, audio);
  const wrong: Record<string, unknown>[] = [-1, 1.5, true, {}, []].flatMap((value) => [
    { offset: value },
    { length: value },
  ]);
  for (const fields of [...wrong, { offset: 1e300 }, { offset: 2 ** 53 }]) {
    peer.send({ type: "GET", streamId: id, ...fields });
    await peer.expectError(/./);
  }
  expect((await peer.read(id, 0, 100)).equals(audio)).toBe(true);
});

test("after every kind of ERROR the same connection can complete a round trip", async () => {
  using peer = await openPeer();
  const spoil: (() => void)[] = [
    () => peer.socket.text("not json"),
    () => peer.send({ type: "FOO" }),
    () => peer.send({ type: "START" }),
    () => peer.send({ type: "START", streamId: "a/b" }),
    () => peer.send({ type: "STOP", streamId: freshId("unknown") }),
    () => peer.get(freshId("unknown"), 0, 10),
    () => peer.socket.binary(audio),
  ];
  for (const act of spoil) {
    act();
    await peer.expectError(/./);
    const id = freshId("after-error");
    expect((await peer.upload(id, audio)).sha256).toBe(sha256(audio));
    expect((await peer.read(id, 0, 100)).equals(audio)).toBe(true);
  }
});

const allowedIds = [
  "x",
  "...",
  "-",
  "_",
  ".a",
  "a.wav",
  "incoming",
  "catalog.db",
  "__proto__",
  "constructor",
  "toString",
  "Case",
  "case",
  "-rf",
  "NUL",
  "0",
  "null",
  "x".repeat(128),
];

test("every id of letters, digits, '-', '_' and '.' makes a separate round trip", async () => {
  using peer = await openPeer();
  for (const id of allowedIds) await peer.upload(id, Buffer.from(`audio of ${id}`));
  for (const id of allowedIds) expect((await peer.read(id, 0, 500)).toString()).toBe(`audio of ${id}`);
});

const hostileIds = [
  ".",
  "..",
  "../escaped",
  "..\\escaped",
  "a/b",
  "/etc/passwd",
  "a\\b",
  "a b",
  "a:b",
  "a\u0000b",
  "a\nb",
  "%2e%2e%2f",
  "ümlaut",
  "日本",
  "a\u202eb",
  "\ud800",
  "'; DROP TABLE streams; --",
  "x".repeat(129),
  "x".repeat(10_000),
  " ",
];

test("any other id is rejected in START, STOP and GET, and no file appears outside the cache", async () => {
  const before = await readdir(server.folder);
  using peer = await openPeer();
  for (const streamId of hostileIds) {
    peer.send({ type: "START", streamId });
    await peer.expectError(/^Failed to create stream: /);
    peer.send({ type: "STOP", streamId });
    await peer.expectError(/^Failed to finalize stream: /);
    peer.send({ type: "GET", streamId });
    await peer.expectError(/^Failed to read from stream: /);
    peer.send({ type: "START", streamId, resume: true });
    await peer.expectError(/^Failed to create stream: /);
  }
  await peer.upload(freshId("after"), audio);
  expect(await readdir(server.folder)).toEqual(before);
});

test("an id that is not a string is rejected", async () => {
  using peer = await openPeer();
  for (const streamId of [5, true, {}, ["x"], ""]) {
    peer.send({ type: "START", streamId });
    await peer.expectError(/^Missing streamId|^Failed to create stream: /);
  }
  peer.socket.binary(audio);
  await peer.expectError("No active stream for binary data");
});
