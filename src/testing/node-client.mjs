// A program of somebody else, under Node, as `v1-node.test.ts` runs it: node node-client.mjs ADDRESS WS FILE.
// It has the package as it would be installed, and says on standard output what it saw.
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { bytesSource, ClientError, connect } from "wavecache/client";

const [url, wsPath, file] = process.argv.slice(2);
const { WebSocket } = createRequire(import.meta.url)(wsPath);
const bytes = new Uint8Array(await readFile(file));
const events = [];
const retry = { firstDelayMs: 10, maxDelayMs: 100 };
const client = await connect(url, { WebSocket, retry, onEvent: ({ type }) => events.push(type) });

const writing = client.openWrite({ metadata: { contentType: "audio/wav", tags: { from: "node" } } });
const writer = writing.writable.getWriter();
for (let at = 0; at < bytes.length; at += 100_000) await writer.write(bytes.subarray(at, at + 100_000));
await writer.close();
const receipt = await writing.receipt;
const copies = await Promise.all(
  Array.from({ length: 8 }, (_, i) => client.upload(bytesSource(bytes), { id: `node-${i}` })),
);

const hash = createHash("sha256");
const reading = client.openRead(receipt.id);
for await (const piece of reading.readable) hash.update(piece);
const result = await reading.result;
const { streams } = await client.list();
const removed = await client.remove("node-0");
const refusal = await client.openRead("none").result.catch((error) => error);
client.close();

process.stdout.write(
  JSON.stringify({
    node: process.versions.node,
    receipt,
    copies: copies.map(({ verified }) => verified),
    sha256: hash.digest("hex"),
    verified: result.verified,
    streams: streams.length,
    removed,
    refusal: refusal instanceof ClientError ? refusal.serverCode : String(refusal),
    events,
  }),
);
