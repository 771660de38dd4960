/**
 * The ceilings: what a bare `Bun.serve` WebSocket does on this machine. Run as a process of its own; prints its port.
 *
 *     hash    SHA-256 inline on each binary message; text is answered with the digest so far
 *     send    a text with a number of bytes is answered with that many, out of one buffer, in 64 KiB messages
 */

const mode = process.argv[2];
const messageBytes = 65_536;
const buffer = new Uint8Array(messageBytes);

interface State {
  hasher: Bun.CryptoHasher;
  leftBytes: number;
}

const server = Bun.serve<State>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const data = { hasher: new Bun.CryptoHasher("sha256"), leftBytes: 0 };
    return server.upgrade(request, { data }) ? undefined : new Response("WebSocket only");
  },
  websocket: {
    perMessageDeflate: false,
    message(socket, message) {
      if (typeof message !== "string") socket.data.hasher.update(message);
      else if (mode === "hash") socket.send(socket.data.hasher.digest("hex"));
      else {
        socket.data.leftBytes = Number(message);
        pump(socket);
      }
    },
    drain: pump,
  },
});

function pump(socket: Bun.ServerWebSocket<State>): void {
  while (socket.data.leftBytes > 0) {
    socket.data.leftBytes -= messageBytes;
    if (socket.send(buffer) < 0) return;
  }
}

process.stdout.write(`${server.port}\n`);
