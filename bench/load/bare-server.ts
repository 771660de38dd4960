/**
 * The ceilings: what a bare `Bun.serve` achieves on this machine. Runs as a process that prints its port and exits at the
 * end of its standard input.
 *
 *     bun bench/load/bare-server.ts sink|hash|send FRAME_BYTES
 *
 *     sink    receives uploads and counts their bytes
 *     hash    the same, with inline SHA-256
 *     send    answers each GET with one message of FRAME_BYTES from one buffer, whatever it requests; answers a text that
 *             is a number of bytes with that many, as fast as possible
 *
 * It speaks START, STOP and GET like the real server, so that the client does the same work. It answers a plain HTTP
 * request with `ok`.
 */
import { encodeStarted, encodeStopped } from "../../src/wire/audio-cache.ts";
import { Noise } from "./audio.ts";

const mode = process.argv[2];
const messageBytes = Number(process.argv[3]);
const buffer = new Noise(messageBytes).bytes.subarray(0, messageBytes);

interface State {
  hasher: Bun.CryptoHasher;
  receivedBytes: number;
  leftBytes: number;
}

const server = Bun.serve<State>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const data = { hasher: new Bun.CryptoHasher("sha256"), receivedBytes: 0, leftBytes: 0 };
    return server.upgrade(request, { data }) ? undefined : new Response("ok\n");
  },
  websocket: {
    perMessageDeflate: false,
    message(socket, message) {
      if (typeof message === "string") return answer(socket, message);
      socket.data.receivedBytes += message.length;
      if (mode === "hash") socket.data.hasher.update(message);
    },
    drain: pump,
  },
});

function answer(socket: Bun.ServerWebSocket<State>, text: string): void {
  const { hasher, receivedBytes } = socket.data;
  if (text.includes('"START"')) socket.send(encodeStarted("upper", "bare"));
  else if (text.includes('"STOP"')) {
    socket.send(encodeStopped("upper", "bare", receivedBytes, hasher.digest("hex")));
  } else if (text.includes('"GET"')) socket.send(buffer);
  else {
    socket.data.leftBytes = Number(text);
    pump(socket);
  }
}

function pump(socket: Bun.ServerWebSocket<State>): void {
  while (socket.data.leftBytes > 0) {
    socket.data.leftBytes -= messageBytes;
    if (socket.send(buffer) < 0) return;
  }
}

process.stdout.write(`${server.port}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
