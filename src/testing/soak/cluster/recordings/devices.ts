/** Devices that record in real time: through the load balancer, again and again, to whichever server it gives them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../../harness/bytes.ts";
import { IngestDevice } from "../../../harness/peers/ingest-device.ts";
import type { Machines } from "../machines.ts";
import { type Connection, DeviceLedger } from "./device-ledger.ts";
import { markedAdpcm, markedPcm } from "./marked-audio.ts";

/** How long a device stays connected, if nothing happens to it. */
const staysMs = [5_000, 60_000] as const;
const pauseMs = [50, 1_500] as const;
const tickMs = 10;
/** A device gives a connection up that takes nothing: a server that is frozen. */
const maxUnsentBytes = 500_000;
const closeLimitMs = 15_000;
/** Numbers of ADPCM frames have 16 bits: a device that has sent so many frames goes on under another name. */
const maxFrames = 60_000;

export class ClusterDevices {
  /** All that there were, in the order of their first connection. */
  readonly ledgers: DeviceLedger[] = [];
  readonly #machines: Machines;
  readonly #random: Random;
  #connections = 0;

  constructor(machines: Machines, random: Random) {
    this.#machines = machines;
    this.#random = random;
  }

  get seconds(): number {
    return this.ledgers.reduce((sum, { audio, nextFrame }) => {
      return sum + ((nextFrame - 1) * audio.format.frameSamples) / audio.format.sampleRate;
    }, 0);
  }

  get connections(): number {
    return this.#connections;
  }

  /** Records until `isOver`; the last connection is closed. */
  async run(number: number, isOver: () => boolean): Promise<void> {
    const audio = number % 2 === 0 ? markedPcm : markedAdpcm;
    for (let turn = 0; !isOver(); turn += 1) {
      const ledger = new DeviceLedger(`device-${number}-${turn}`, audio);
      this.ledgers.push(ledger);
      while (!isOver() && ledger.nextFrame < maxFrames) {
        await this.#connect(ledger, isOver).catch(() => {
          // No server was there, or the one that was has gone: the device comes again.
        });
        await Bun.sleep(this.#random.int(...pauseMs));
      }
    }
  }

  async #connect(ledger: DeviceLedger, isOver: () => boolean): Promise<void> {
    const before = this.#filesOf(ledger);
    using device = await IngestDevice.open(this.#machines.proxy.origin, ledger.audio.format, ledger.name);
    // Sequence numbers go on, as those of a device do that has lost its connection.
    device.seq = ledger.nextFrame;
    this.#connections += 1;
    const connection = ledger.connect();
    const staysUntil = performance.now() + this.#random.int(...staysMs);
    const isDone = () => isOver() || performance.now() > staysUntil || ledger.nextFrame >= maxFrames;
    await this.#send(device, ledger, connection, before, isDone);
    const isLost = !device.socket.isOpen || device.socket.unsentBytes > maxUnsentBytes;
    const isClosed = !isLost && (await close(device));
    connection.state = isClosed ? "closed" : "lost";
    connection.endedAt = performance.now();
  }

  async #send(
    device: IngestDevice,
    ledger: DeviceLedger,
    connection: Connection,
    before: ReadonlySet<string>,
    isDone: () => boolean,
  ): Promise<void> {
    const { frameSamples, sampleRate } = ledger.audio.format;
    const frameMs = (1000 * frameSamples) / sampleRate;
    const began = performance.now();
    while (!isDone() && device.socket.isOpen && device.socket.unsentBytes <= maxUnsentBytes) {
      const due = Math.floor((performance.now() - began) / frameMs);
      while (connection.sentAt.length < due) device.send(ledger.audio.payload(ledger.send(connection)));
      connection.machine ??= this.#newFileAt(ledger, before);
      await Bun.sleep(tickMs);
    }
  }

  /** The number of the server that has begun to record it. */
  #newFileAt(ledger: DeviceLedger, before: ReadonlySet<string>): number | undefined {
    return this.#machines.all.find(({ number, server }) =>
      filesAt(server.folder, number, ledger.name).some((file) => !before.has(file)),
    )?.number;
  }

  #filesOf(ledger: DeviceLedger): ReadonlySet<string> {
    return new Set(
      this.#machines.all.flatMap(({ number, server }) => filesAt(server.folder, number, ledger.name)),
    );
  }
}

function filesAt(serverFolder: string, number: number, device: string): string[] {
  const folder = join(serverFolder, "received", device);
  return existsSync(folder) ? readdirSync(folder).map((file) => `${number}/${file}`) : [];
}

/** Whether the server has said that it has read everything. */
async function close(device: IngestDevice): Promise<boolean> {
  device.socket.close(1000);
  const closed = await device.closed(closeLimitMs).catch(() => undefined);
  return closed?.code === 1000;
}
