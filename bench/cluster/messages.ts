/** `bun run bench:messages`: messages of NATS for what one server asks of another, as the servers count them. */
import { cac } from "cac";
import { table } from "../../src/cli/kit/text.ts";
import { countOption, textOption } from "../../src/cli/kit/arguments.ts";
import { scrape } from "../../src/testing/harness/http/exposition.ts";
import { GrpcDevice } from "../../src/testing/harness/peers/grpc-device.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../../src/testing/harness/peers/ingest-device.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { NatsServer } from "../../src/testing/harness/servers/nats-server.ts";
import { until } from "../../src/testing/harness/until.ts";
import { readCommandLine, runBench, writeReport } from "../load/command.ts";

interface Settings {
  seconds: number;
  json: string | undefined;
}

/** Of both servers together. */
interface Traffic {
  sent: number;
  received: number;
  sentBytes: number;
}

const limitMs = 20_000;
const frameMs = 20;

function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench:messages");
  cli
    .command("[...rest]", "Count the messages between two servers")
    .usage(
      "[options]\n\nStarts NATS and two servers. One has a device, the other listens to it and operates it.",
    )
    .option("--seconds <count>", "How long each state is measured", { default: "10" })
    .option("--json <file>", "Write all figures to this file");
  return readCommandLine(cli, args, (options) => ({
    seconds: countOption(options, "seconds", 1, 3_600),
    json: textOption(options, "json"),
  }));
}

async function startNode(nats: NatsServer): Promise<TestServer> {
  const server = await TestServer.start({ flags: { "nats-urls": nats.url, "grpc-port": 0 } });
  await server.untilLogged("connected to NATS");
  return server;
}

async function traffic(nodes: readonly TestServer[]): Promise<Traffic> {
  const all = await Promise.all(nodes.map(({ httpBase }) => scrape(httpBase)));
  const sum = (name: string, result: string) =>
    all.reduce((total, metrics) => total + (metrics?.sum(name, { result }) ?? 0), 0);
  return {
    sent: sum("wavecache_nats_messages_total", "sent"),
    received: sum("wavecache_nats_messages_total", "received"),
    sentBytes: sum("wavecache_nats_bytes_total", "sent"),
  };
}

async function during(
  nodes: readonly TestServer[],
  times: number,
  act: () => Promise<unknown>,
): Promise<Traffic> {
  const before = await traffic(nodes);
  await act();
  const after = await traffic(nodes);
  const each = (figure: keyof Traffic) => (after[figure] - before[figure]) / times;
  return { sent: each("sent"), received: each("received"), sentBytes: each("sentBytes") };
}

/** A device that sends 50 frames a second. */
function sendFrames(device: IngestDevice): Timer {
  let sent = 0;
  return setInterval(() => {
    device.send(countingPayload(sent, pcmFormat.frameSamples));
    sent += pcmFormat.frameSamples;
  }, frameMs);
}

function listen(server: TestServer, path: string): AbortController {
  const abort = new AbortController();
  const reading = fetch(server.httpBase + path, { signal: abort.signal }).then(async ({ body }) => {
    for await (const _ of body!);
  });
  reading.catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  return abort;
}

async function measure({ seconds }: Settings): Promise<Record<string, Traffic>> {
  await using nats = await NatsServer.start();
  await using owner = await startNode(nats);
  await using other = await startNode(nats);
  const nodes = [owner, other];
  const perSecond = () => during(nodes, seconds, () => Bun.sleep(seconds * 1000));
  const rows: Record<string, Traffic> = { "two servers, a second": await perSecond() };
  using device = await IngestDevice.open(owner.httpBase, pcmFormat, "device");
  const timer = sendFrames(device);
  rows["a device to which nobody listens, a second"] = await perSecond();
  const found = async () => (await fetch(`${other.httpBase}/live/device.wav`, { method: "HEAD" })).ok;
  await until("the device at the other server", limitMs, found);
  const listeners = [listen(other, "/live/device.wav")];
  await Bun.sleep(1_000);
  rows["a listener at the other server, a second"] = await perSecond();
  listeners.push(listen(other, "/live/device.wav"));
  await Bun.sleep(1_000);
  rows["two listeners there, a second"] = await perSecond();
  for (const each of listeners) each.abort();
  await Bun.sleep(12_000);
  const levels = listen(other, "/api/live/levels");
  await Bun.sleep(1_000);
  rows["somebody who sees its levels there, a second"] = await perSecond();
  levels.abort();
  clearInterval(timer);
  using board = new GrpcDevice(owner.grpcPort, "board");
  await board.untilConnected();
  const url = `${other.httpBase}/api/devices/board`;
  await until("the board at the other server", limitMs, async () => (await fetch(url)).status === 200);
  const commands = 50;
  rows["a command to a device of the other server"] = await during(nodes, commands, async () => {
    for (let each = 0; each < commands; each += 1)
      await fetch(`${url}/mode?mode=${each % 4}`, { method: "POST" });
  });
  return rows;
}

async function run(settings: Settings): Promise<number> {
  const rows = await measure(settings);
  const texts = Object.entries(rows).map(([what, { sent, received, sentBytes }]) => {
    return [what, sent.toFixed(1), received.toFixed(1), sentBytes.toFixed(1)];
  });
  process.stdout.write(
    `${table([["MESSAGES", "sent", "received", "bytes sent"], ...texts], [1, 2, 3]).join("\n")}\n`,
  );
  await writeReport(settings, { rows });
  return 0;
}

await runBench(readSettings, run);
