/**
 * Between a server and PostgreSQL: notes each round trip with its statements, as the messages of the client show them
 * (PostgreSQL documentation, "Message Formats"): a byte that names the message, its length, and its content.
 */
import * as net from "node:net";

/** What one Sync or one simple query asks for. */
export interface RoundTrip {
  statements: string[];
}

const headerBytes = 5;
/** The first message has no name. */
const lengthBytes = 4;

export class PostgresMeter implements Disposable {
  readonly port: number;
  readonly trips: RoundTrip[] = [];
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket>;

  /** `url` is that of a catalog; `urlThrough` of what this returns is the same by way of the meter. */
  static async open(url: string): Promise<PostgresMeter> {
    const target = Number(new URL(url).port);
    const sockets = new Set<net.Socket>();
    const trips: RoundTrip[] = [];
    const server = net.createServer((near) => {
      const far = net.connect(target, "127.0.0.1");
      const messages = new FrontendMessages(trips);
      near.on("data", (bytes: Buffer) => messages.read(bytes));
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        // The other side ends as well.
        socket.on("error", () => (socket === near ? far : near).destroy());
      }
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    return new PostgresMeter(server, sockets, trips);
  }

  private constructor(server: net.Server, sockets: Set<net.Socket>, trips: RoundTrip[]) {
    this.#server = server;
    this.#sockets = sockets;
    this.trips = trips;
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** Since this was called before, without what nodes do for each other and with events whatever happens. */
  take(): RoundTrip[] {
    return transactionsOf(this.trips.splice(0))
      .filter((trips) => !trips.every(isBackground))
      .flat();
  }

  urlThrough(url: string): string {
    const through = new URL(url);
    through.port = String(this.port);
    return through.href;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** Round trips of one transaction, or a query of its own. */
function transactionsOf(trips: readonly RoundTrip[]): RoundTrip[][] {
  const transactions: RoundTrip[][] = [];
  let isOpen = false;
  for (const trip of trips) {
    if (isOpen) transactions.at(-1)!.push(trip);
    else transactions.push([trip]);
    if (trip.statements.includes("BEGIN")) isOpen = true;
    if (trip.statements.some((text) => text === "COMMIT" || text === "ROLLBACK")) isOpen = false;
  }
  return transactions;
}

const control = /^\s*(BEGIN|COMMIT|ROLLBACK|SET LOCAL|SELECT check_fence)/;
/** Leases, the look for news, announcements, the removal of old events, the check of the store, and statistics. */
const background = [
  /UPDATE nodes SET|"newestEvent"|SELECT seq AS newest|DELETE FROM events|pg_stats/,
  /INSERT INTO meta|DELETE FROM meta|SELECT id, sha256, state, size|max\(damaged\)|SELECT r\.\*, s\.key/,
];

function isBackground({ statements }: RoundTrip): boolean {
  return statements.every((text) => control.test(text) || background.some((each) => each.test(text)));
}

class FrontendMessages {
  readonly #trips: RoundTrip[];
  readonly #texts = new Map<string, string>();
  #rest: Buffer = Buffer.alloc(0);
  #isStarted = false;
  #bound = "";
  #statements: string[] = [];

  constructor(trips: RoundTrip[]) {
    this.#trips = trips;
  }

  read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const nameBytes = this.#isStarted ? 1 : 0;
      if (this.#rest.length < nameBytes + lengthBytes) return;
      const end = nameBytes + this.#rest.readUInt32BE(nameBytes);
      if (this.#rest.length < end) return;
      if (this.#isStarted)
        this.#take(String.fromCharCode(this.#rest[0]!), this.#rest.subarray(headerBytes, end));
      this.#isStarted = true;
      this.#rest = this.#rest.subarray(end);
    }
  }

  /** Names of messages: Parse, Bind, Execute, Sync, Query. */
  #take(name: string, content: Buffer): void {
    const [first, second] = content.toString("latin1").split("\0");
    if (name === "P") this.#texts.set(first!, second!);
    else if (name === "B") this.#bound = second!;
    else if (name === "E") this.#statements.push(this.#texts.get(this.#bound)!);
    else if (name === "Q") this.#trips.push({ statements: [first!] });
    else if (name === "S" && this.#statements.length > 0) {
      // Statements are prepared once for a connection: that is not counted.
      this.#trips.push({ statements: this.#statements });
      this.#statements = [];
    }
  }
}
