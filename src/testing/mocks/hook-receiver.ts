/** A receiver of webhooks as a process of its own: appends each event to a file (argument 2), and listens on a port (1). */
import { appendFileSync } from "node:fs";

const [port, file] = process.argv.slice(2);
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  async fetch(request) {
    appendFileSync(file!, `${await request.text()}\n`);
    return new Response();
  },
});
process.stdout.write(`${server.port}\n`);
