/**
 * Every message of every protocol but HTTP, with no credential, a wrong, an expired and a revoked one, one for other
 * things, and the right one.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { loadSync } from "@grpc/proto-loader";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSongUdp } from "../../client/songs/udp.ts";
import { ClientError } from "../../client/errors.ts";
import { deviceProtoOptions, deviceServiceName } from "../../wire/devices.ts";
import { deviceProtoFile } from "../../wire/device-proto-file.ts";
import { type ClientMessage, messageTypes } from "../../wire/v1/messages.ts";
import { createToken, type MadeToken, revokeToken } from "../harness/access.ts";
import { AudioCachePeer, controlOf } from "../harness/peers/audio-cache.ts";
import { DeviceChannel } from "../harness/peers/device-channel.ts";
import { frameMessage, handshakeMessage, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { fetchSong } from "../harness/peers/song-peer.ts";
import { plain, V1Peer } from "../harness/peers/v1.ts";
import { opcodes } from "../harness/peers/websocket-frames.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

interface Message {
  name: string;
  /** Allows it. */
  grant: string;
  /** Allows nearly that. */
  other: string;
  /** The answer to one for other things. */
  refused: string;
  /** Results in `allowed`, or in why it is refused. */
  send(token: string | undefined): Promise<string>;
}

const stream = "shared.1";
const audio = "audio of a stream";
const readStream = ["read:streams/shared.1", "read:streams/shared.2"] as const;
const upload = ["upload:streams/new.*", "upload:streams/other.*"] as const;

let server: TestServer;
let root: MadeToken;
let expired: MadeToken;
let revoked: MadeToken;
let listened: IngestDevice;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "tls-port": 0, "udp-port": 0, "grpc-port": 0 } });
  mkdirSync(join(server.folder, "library"), { recursive: true });
  writeFileSync(join(server.folder, "library", "song.wav"), "song");
  root = await createToken(server, ["*"]);
  expired = await createToken(server, ["*"], "--expires", "1s");
  revoked = await createToken(server, ["*"]);
  await revokeToken(server, revoked.id);
  for (const id of [stream, "gone.1"]) await put(id);
  const path = `${server.httpBase}/api/streams/${stream}/audio`;
  listened = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen", root.text);
  listened.send(new Uint8Array(320));
  await until(
    "the token has expired",
    5_000,
    async () => (await fetch(path, { headers: expired.headers })).status === 401,
  );
});

afterAll(async () => {
  listened.socket[Symbol.dispose]();
  await server.dispose();
});

async function put(id: string): Promise<void> {
  const path = `${server.httpBase}/api/streams/${id}/audio`;
  expect((await fetch(path, { method: "PUT", body: audio, headers: root.headers })).status).toBe(201);
}

/** Whoever is refused a stream of another gets the answer for one that does not exist. */
const messages: Message[] = [
  ...["START", "STOP"].map((type) => ({
    name: `audio cache ${type}`,
    grant: upload[0],
    other: upload[1],
    refused: "the credential does not allow this",
    send: (token: string | undefined) => sendUpload(token, type === "STOP"),
  })),
  {
    name: "audio cache GET",
    grant: readStream[0],
    other: readStream[1],
    refused: "no such stream",
    send: sendGet,
  },
  v1("WRITE", upload, "FORBIDDEN", () => ({
    type: "WRITE",
    channel: 1,
    streamId: freshId(),
    mode: "create",
    metadata: plain,
  })),
  v1("WRITE without an id", ["upload:streams/**", "upload:streams/x*"], "FORBIDDEN", () => ({
    type: "WRITE",
    channel: 1,
    streamId: undefined,
    mode: "create",
    metadata: plain,
  })),
  v1("READ", readStream, "STREAM_UNKNOWN", () => ({
    type: "READ",
    channel: 1,
    streamId: stream,
    offset: 0,
    length: undefined,
  })),
  v1("FOLLOW of a stream", readStream, "STREAM_UNKNOWN", () => ({
    type: "FOLLOW",
    channel: 1,
    source: "stream",
    name: stream,
    offset: 0,
  })),
  v1(
    "FOLLOW of a recording",
    ["listen:recordings/kitchen", "listen:recordings/hall"],
    "RECORDING_UNKNOWN",
    () => ({ type: "FOLLOW", channel: 1, source: "recording", name: "kitchen", offset: undefined }),
  ),
  v1("LIST", ["list:streams/shared.*", "read:streams/**"], "FORBIDDEN", () => ({
    type: "LIST",
    channel: 1,
    filter: "all",
    after: "",
    limit: 10,
  })),
  v1("INFO", readStream, "STREAM_UNKNOWN", () => ({ type: "INFO", channel: 1, streamId: stream })),
  v1("REMOVE", ["remove:streams/gone.1", "remove:streams/shared.2"], "STREAM_UNKNOWN", () => ({
    type: "REMOVE",
    channel: 1,
    streamId: "gone.1",
  })),
  {
    name: "v1 HELLO",
    grant: readStream[0],
    other: "metrics",
    refused: "FORBIDDEN",
    send: async (token) => {
      const peer = await V1Peer.open(server.url, { revision: 3, token });
      peer.send({ type: "INFO", channel: 1, streamId: stream });
      return await answerTo(peer);
    },
  },
  ingest("with a device", "/ws/attic", ["ingest:recordings/attic", "ingest:recordings/hall"], "403"),
  ingest("without a device", "/ws", ["ingest:recordings/7", "ingest:recordings/8"], "4403"),
  {
    name: "live audio",
    grant: "listen:recordings/kitchen",
    other: "listen:recordings/hall",
    refused: "1008",
    send: async (token) => {
      using socket = await openSocket("/live/kitchen", token);
      if (socket.response.status !== 101) return String(socket.response.status);
      listened.send(new Uint8Array(320));
      const frame = await socket.next();
      return frame.opcode === opcodes.binary ? "allowed" : String(frame.payload.readUInt16BE(0));
    },
  },
  {
    name: "echo",
    grant: "ingest:recordings/attic",
    other: "read",
    refused: "403",
    send: async (token) => {
      using socket = await openSocket("/ws/echo", token);
      if (socket.response.status !== 101) return String(socket.response.status);
      socket.text("x");
      return (await socket.next()).payload.toString() === "x" ? "allowed" : "no echo";
    },
  },
  ...(["StatusStream", "EventStream", "ServerAudioStream"] as const).map((method) => ({
    name: `gRPC ${method}`,
    grant: `device:devices/${method}`,
    other: "device:devices/d2",
    refused: "7",
    send: (token: string | undefined) => sendCall(method, token),
  })),
  {
    name: "TLS song of the library",
    grant: "read:library/song.wav",
    other: "read:library/x",
    refused: "nothing",
    send: (token) => sendTls("song.wav", token, "song"),
  },
  {
    name: "TLS song of a stream",
    grant: readStream[0],
    other: readStream[1],
    refused: "nothing",
    send: (token) => sendTls(stream, token, audio),
  },
  {
    name: "reliable UDP",
    grant: "read:library/song.wav",
    other: "read:library/x",
    refused: "SONG_UNKNOWN",
    send: sendReliable,
  },
];

let ids = 0;

function freshId(): string {
  return `new.${ids++}`;
}

function withToken(url: string, token: string | undefined): string {
  return token === undefined ? url : `${url}?token=${token}`;
}

async function openSocket(path: string, token: string | undefined): Promise<RawWebSocket> {
  return await RawWebSocket.open(withToken(`${server.httpBase.replace("http", "ws")}${path}`, token));
}

async function openAudioCache(token: string | undefined): Promise<AudioCachePeer | string> {
  try {
    return await AudioCachePeer.open(withToken(server.url, token));
  } catch (error) {
    return String(error).slice(-3);
  }
}

/** The text of an ERROR in its parentheses. */
function reasonIn(text: string): string {
  return /\(([^)]*)\)"/.exec(text)?.[1] ?? text;
}

async function sendUpload(token: string | undefined, stops: boolean): Promise<string> {
  const peer = await openAudioCache(token);
  if (typeof peer === "string") return peer;
  using _ = peer.socket;
  const streamId = freshId();
  peer.send({ type: "START", streamId });
  if (stops) peer.send({ type: "STOP", streamId });
  const first = controlOf(await peer.socket.next())!;
  if (first.type !== "STARTED") return reasonIn(first.text);
  if (!stops) return "allowed";
  return controlOf(await peer.socket.next())!.type === "STOPPED" ? "allowed" : "not stopped";
}

async function sendGet(token: string | undefined): Promise<string> {
  const peer = await openAudioCache(token);
  if (typeof peer === "string") return peer;
  using _ = peer.socket;
  peer.get(stream, 0, 100);
  const frame = await peer.socket.next();
  if (frame.opcode === opcodes.binary) return frame.payload.toString() === audio ? "allowed" : "other audio";
  return reasonIn(frame.payload.toString());
}

function v1(
  name: string,
  [grant, other]: readonly [string, string],
  refused: string,
  message: () => ClientMessage,
): Message {
  return {
    name: `v1 ${name}`,
    grant,
    other,
    refused,
    send: async (token) => {
      const peer = await V1Peer.open(withToken(server.url, token)).catch((error: unknown) => String(error));
      if (typeof peer === "string") return /status (\d+)/.exec(peer)?.[1] ?? peer;
      peer.send(message());
      return await answerTo(peer);
    },
  };
}

/** The first answer on channel 1, or the end of the connection. */
async function answerTo(peer: V1Peer): Promise<string> {
  using _ = peer.socket;
  const answer = await peer.when("an answer", () => peer.fault ?? peer.poll(1));
  return answer.type === "ERROR" ? answer.code : "allowed";
}

function ingest(
  name: string,
  path: string,
  [grant, other]: readonly [string, string],
  refused: string,
): Message {
  return {
    name: `ingest ${name}`,
    grant,
    other,
    refused,
    send: async (token) => {
      using socket = await openSocket(path, token);
      if (socket.response.status !== 101) return String(socket.response.status);
      socket.binary(handshakeMessage(pcmFormat));
      socket.binary(frameMessage(pcmFormat.codec, 0, new Uint8Array(320)));
      // A ping is answered behind what was sent before it, and a Close comes first.
      socket.frame({ opcode: opcodes.ping, payload: Buffer.from("x") });
      const frame = await socket.next();
      return frame.opcode === opcodes.pong ? "allowed" : String(frame.payload.readUInt16BE(0));
    },
  };
}

type Method = "StatusStream" | "EventStream" | "ServerAudioStream";

async function sendCall(method: Method, token: string | undefined): Promise<string> {
  const channel = new DeviceChannel(`127.0.0.1:${server.grpcPort}`, undefined, token);
  const call = {
    StatusStream: () => channel.openStatus(method),
    EventStream: () => channel.openEvents(method),
    ServerAudioStream: () => channel.openAudio(method),
  }[method]();
  call.on("data", () => undefined);
  const failed = new Promise<string>((resolve) =>
    call.on("error", (error: Error & { code?: number }) => resolve(String(error.code))),
  );
  const path = `${server.httpBase}/api/devices/${method}`;
  const connected = until("the device is connected", 5_000, async () => {
    const answer = await fetch(path, { headers: root.headers });
    return answer.ok && ((await answer.json()) as { connected: boolean }).connected && "allowed";
  });
  const outcome = await Promise.race([failed, connected.catch(() => "no answer")]);
  channel.close();
  if (outcome === "allowed") call.cancel();
  return outcome;
}

async function sendTls(name: string, token: string | undefined, whole: string): Promise<string> {
  const { bytes, failure } = await fetchSong(server.tlsPort, withToken(name, token));
  if (failure !== undefined) return failure;
  return bytes.length === 0 ? "nothing" : bytes.toString() === whole ? "allowed" : "other audio";
}

async function sendReliable(token: string | undefined): Promise<string> {
  const name = withToken("song.wav", token);
  try {
    const song = await openSongUdp({ host: "127.0.0.1", port: server.udpPort, name, reliable: "only" });
    const chunks = await Array.fromAsync(song.chunks);
    return Buffer.concat(chunks).toString() === "song" ? "allowed" : "other audio";
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return error.code === "SONG_UNKNOWN" ? error.code : error.message;
  }
}

async function tokenFor(grant: string): Promise<string> {
  const answer = await fetch(`${server.httpBase}/api/tokens`, {
    method: "POST",
    headers: root.headers,
    body: JSON.stringify({ grants: [grant] }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { token: string }).token;
}

/** The last wrong ones are refused unseen: there were too many. */
const unauthenticated = /^(?:401|16|nothing)$|UNAUTHENTICATED|credential missing or wrong|GUESSES_EXHAUSTED/;

describe("the table of messages", () => {
  test("names every message that opens a channel of v1, and every stream of devices", () => {
    const named = messages.map(({ name }) => name.split(" ").slice(0, 2).join(" "));
    const opening = Object.entries(messageTypes).filter(([, number]) => number >= 16 && number < 22);
    for (const [name] of opening) expect(named).toContain(`v1 ${name}`);
    expect(opening.length).toBe(6);
    const service = loadSync(deviceProtoFile, deviceProtoOptions)[deviceServiceName]!;
    for (const method of Object.keys(service)) expect(named).toContain(`gRPC ${method}`);
  });

  for (const { name, grant, other, refused, send } of messages) {
    test(`${name} is for those who may ${grant}`, async () => {
      for (const wrong of [undefined, "wc_wrong", expired.text, revoked.text])
        expect(await send(wrong)).toMatch(unauthenticated);
      expect(await send(await tokenFor(other))).toBe(refused);
      expect(await send(await tokenFor(grant))).toBe("allowed");
    });
  }
});
