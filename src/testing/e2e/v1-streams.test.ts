import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { KiB, MiB } from "../../base/limits.ts";
import { AudioCachePeer, freshId } from "../harness/audio-cache-peer.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { RawWebSocket } from "../harness/raw-websocket.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { V1Peer } from "../harness/v1-peer.ts";

useServers();

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.dispose());

const audio = new Random(7).bytes(3 * MiB + 12_345);

describe("negotiation", () => {
  test("who offers the subprotocol among others gets it, on all three paths", async () => {
    for (const path of ["/audio", "/audio/", "/"]) {
      const headers = { "Sec-WebSocket-Protocol": "something.else, wavecache.v1" };
      using socket = await RawWebSocket.open(server.url, { path, headers });
      expect(socket.response.headers.get("sec-websocket-protocol")).toBe("wavecache.v1");
      expect((await socket.next()).payload.subarray(0, 2)).toEqual(Buffer.from([0x98, 0x01]));
    }
  });

  test("who does not speaks the older protocol, unchanged", async () => {
    using socket = await RawWebSocket.open(server.url);
    expect(socket.response.headers.has("sec-websocket-protocol")).toBe(false);
    socket.text('{"type":"START","streamId":"older"}');
    expect((await socket.next()).payload.toString()).toContain('"type":"STARTED"');
  });
});

describe("streams", () => {
  test("what is written is read, whole and by range, and by the older protocol", async () => {
    using peer = await V1Peer.open(server.url);
    const id = freshId("whole");
    const end = await peer.upload(1, id, audio);
    expect(end).toMatchObject({ outcome: "finished", size: audio.length, sha256: sha256(audio) });
    const whole = await peer.read(2, id);
    expect(whole.opened).toMatchObject({ streamId: id, offset: 0, size: audio.length });
    expect(whole.end).toMatchObject({ outcome: "finished", size: audio.length, sha256: sha256(audio) });
    expect(sha256(whole.audio)).toBe(sha256(audio));
    const range = await peer.read(2, id, 1_000_001, 200_003);
    expect(sha256(range.audio)).toBe(sha256(audio.subarray(1_000_001, 1_200_004)));
    const older = await AudioCachePeer.open(server.url);
    older.get(id, 5, 64 * KiB);
    const frame = await older.socket.next();
    expect(Buffer.compare(frame.payload, audio.subarray(5, 5 + 64 * KiB))).toBe(0);
    older.socket[Symbol.dispose]();
  });
});
