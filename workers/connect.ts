/** The thread that holds the keeper's connection to PostgreSQL, while the keeper waits for its answers. */
import { Connection } from "../src/store/postgres/connection.ts";
import type { BridgeEnd, Request } from "../src/store/postgres/messages.ts";

declare const self: { onmessage: ((event: { data: BridgeEnd | null }) => void) | null };

const connection = new Connection();
let port: MessagePort | undefined;

/** The keeper's end of the bridge; null ends the thread. */
self.onmessage = ({ data }) => {
  if (data === null) close();
  else serve(data);
};

function serve(end: BridgeEnd): void {
  port = end.port;
  port.onmessage = ({ data }) => void answer(end, data as Request);
}

async function answer({ port, answers }: BridgeEnd, request: Request): Promise<void> {
  port.postMessage(await connection.handle(request));
  Atomics.add(answers, 0, 1);
  Atomics.notify(answers, 0);
}

function close(): void {
  connection.close();
  port?.close();
  self.onmessage = null;
}
