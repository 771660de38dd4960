/**
 * Songs by name over UDP, with the plain protocol and the reliable one. UDP source addresses can be forged: addresses
 * outside the allow list get no answer, and the others are limited per address and in total. A client is an address with
 * a port, and has one transfer at a time.
 */
import type { udp } from "bun";
import type { AddressList } from "../../base/address-list.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxUdpTransfers, maxUdpTransfersPerAddress, reliableRateFactor } from "../../base/limits/songs.ts";
import type { Log } from "../../base/log.ts";
import { authorityOf } from "../../listen/authority.ts";
import {
  decodeReliable,
  encodeReliable,
  isReliable,
  minRequestBytes,
  type ReliableMessage,
  type RequestMessage,
} from "../../wire/reliable-udp.ts";
import { decodeSongName } from "../../wire/song-name.ts";
import { RateLimitedLog } from "./rate-limited-log.ts";
import { Pacer } from "./pacer.ts";
import { PlainTransfer } from "./plain-transfer.ts";
import { ReliableTransfer } from "./reliable-transfer.ts";
import { Sender, type Sent } from "./sender.ts";
import { AddressTokens } from "./tokens.ts";
import type { CutReason, Peer, SongSource, Transfer, TransferHost, UdpSong } from "./transfer.ts";

export interface SongsUdpGatewaySettings {
  host: string;
  /** 0 picks a free port. */
  port: number;
  /** Only these addresses get answers. */
  allow: AddressList;
  /** Rate limit of a plain transfer, in megabits a second. A reliable one may send at a multiple of it. */
  rateMbps: number;
  songs: SongSource;
  meter: GatewayMeter;
  log: Log;
}

/** Interval of the transfers' timeouts and rate updates. */
const tickMs = 250;

export class SongsUdpGateway implements TransferHost {
  readonly #settings: SongsUdpGatewaySettings;
  readonly #socket: udp.Socket<"uint8array">;
  readonly #sender: Sender;
  readonly #pacer: Pacer;
  readonly #tokens = new AddressTokens();
  readonly #rateLimitedLog: RateLimitedLog;
  readonly #transfers = new Map<string, Transfer>();
  readonly #transfersPerAddress = new Map<string, number>();
  readonly #ticker: Timer;
  readonly #bytesPerSecond: number;
  #isClosed = false;

  /** Opens the port. Rejects with the system's error if it cannot be bound. */
  static async open(settings: SongsUdpGatewaySettings): Promise<SongsUdpGateway> {
    let gateway: SongsUdpGateway | undefined;
    const socket = await Bun.udpSocket<"uint8array">({
      hostname: settings.host,
      port: settings.port,
      binaryType: "uint8array",
      socket: {
        data: (_socket, datagram, port, address) => gateway?.receive({ address, port }, datagram),
        // An ICMP error, but without its address. The next batch to that client detects the error.
        error: () => {},
      },
    });
    gateway = new SongsUdpGateway(settings, socket);
    return gateway;
  }

  private constructor(settings: SongsUdpGatewaySettings, socket: udp.Socket<"uint8array">) {
    this.#settings = settings;
    this.#socket = socket;
    this.#sender = new Sender(socket);
    this.#pacer = new Pacer({ send: (transfer, datagrams) => this.#send(transfer, datagrams) });
    this.#rateLimitedLog = new RateLimitedLog(settings.log);
    this.#bytesPerSecond = (settings.rateMbps * 1_000_000) / 8;
    this.#ticker = setInterval(() => this.#tick(), tickMs);
  }

  get port(): number {
    return this.#socket.port;
  }

  /** As a URL. */
  get address(): string {
    return `udp://${authorityOf(this.#settings.host, this.port)}`;
  }

  /** Cuts every transfer and closes the port. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const transfer of this.#transfers.values()) transfer.cut("SHUTTING_DOWN");
    this.#pacer.close();
    this.#socket.close();
  }

  receive(peer: Peer, datagram: Uint8Array): void {
    this.#settings.meter.bytesIn += datagram.length;
    // An empty datagram marks the end of a song. Answering it could make two servers answer each other forever.
    if (this.#isClosed || datagram.length === 0 || peer.port === 0) return;
    if (!this.#settings.allow.has(peer.address)) return this.#refuse(peer, "ADDRESS_REFUSED");
    if (isReliable(datagram)) this.#receiveReliable(peer, datagram);
    else this.#receivePlain(peer, datagram);
  }

  open(name: string): Promise<UdpSong> {
    return this.#settings.songs.open(name);
  }

  wake(): void {
    if (!this.#isClosed) this.#pacer.wake();
  }

  answer(peer: Peer, datagram: Uint8Array): void {
    try {
      const { count } = this.#sender.send(peer, [datagram]);
      this.#settings.meter.bytesOut += count * datagram.length;
    } catch (error) {
      this.#rateLimitedLog.warn("sending an answer failed", peer, error);
    }
  }

  ended(transfer: Transfer, cut: CutReason | undefined): void {
    const { peer, name } = transfer;
    this.#transfers.delete(keyOf(peer));
    this.#pacer.remove(transfer);
    this.#count(peer.address, -1);
    this.#settings.meter.closed();
    if (cut !== undefined && cut !== "client gone" && cut !== "not wanted") this.#settings.meter.failed(cut);
    this.#settings.log.debug("a transfer ended", { name, to: keyOf(peer), cut: cut ?? "no" });
  }

  failed({ peer, name }: Transfer, error: unknown): void {
    this.#settings.log.warn("sending a song failed", { name, to: keyOf(peer), error });
  }

  #receivePlain(peer: Peer, datagram: Uint8Array): void {
    const name = decodeSongName(datagram);
    // An invalid name gets the answer of an unknown song.
    if (name === undefined) return this.answer(peer, new Uint8Array(0));
    const running = this.#transfers.get(keyOf(peer));
    // A client that has received nothing yet repeats its request.
    if (running instanceof PlainTransfer && running.name === name) return;
    if (!this.#admit(peer, running)) return this.#refuse(peer, "TRANSFERS_EXHAUSTED");
    const transfer = new PlainTransfer(peer, name, this.#bytesPerSecond, this);
    this.#add(transfer);
    void transfer.start();
  }

  #receiveReliable(peer: Peer, datagram: Uint8Array): void {
    const message = decodeReliable(datagram);
    if (message === undefined) return this.#answerMalformed(peer, datagram);
    if (message.type === "request") return this.#request(peer, message);
    const transfer = this.#transfers.get(keyOf(peer));
    const isKnown = transfer instanceof ReliableTransfer && transfer.id === message.transfer;
    if (message.type === "ack") {
      if (isKnown) transfer.acknowledge(message, performance.now());
      else this.#answerShort(peer, message.transfer, "TRANSFER_UNKNOWN", datagram.length);
    } else if (message.type === "close" && isKnown) transfer.closed(message.complete);
  }

  /** Answers a request of another version with an error. Ignores other malformed messages. */
  #answerMalformed(peer: Peer, datagram: Uint8Array): void {
    this.#settings.meter.failed("BAD_REQUEST");
    if (datagram.length < minRequestBytes) return;
    const transfer = new DataView(datagram.buffer, datagram.byteOffset).getBigUint64(8, true);
    this.#answerShort(peer, transfer, "BAD_REQUEST", datagram.length);
  }

  #request(peer: Peer, request: RequestMessage): void {
    const now = performance.now();
    const { transfer: id, token } = request;
    if (!this.#tokens.isValid(token, peer, id, now)) {
      const fresh = this.#tokens.issue(peer, id, now);
      return this.answer(peer, encodeReliable({ type: "token", transfer: id, token: fresh }));
    }
    const running = this.#transfers.get(keyOf(peer));
    if (running instanceof ReliableTransfer && running.id === id) return running.repeat(now);
    if (!this.#admit(peer, running)) {
      this.#refuse(peer, "TRANSFERS_EXHAUSTED");
      return this.#answer(peer, { type: "error", transfer: id, code: "TRANSFERS_EXHAUSTED" });
    }
    const maxBytesPerSecond = this.#bytesPerSecond * reliableRateFactor;
    const transfer = new ReliableTransfer(peer, request, maxBytesPerSecond, now, this);
    this.#add(transfer);
    void transfer.start();
  }

  #answer(peer: Peer, message: ReliableMessage): void {
    this.answer(peer, encodeReliable(message));
  }

  /** Answers an address that may be forged, so never with more bytes than the request: no amplification. */
  #answerShort(
    peer: Peer,
    transfer: bigint,
    code: "TRANSFER_UNKNOWN" | "BAD_REQUEST",
    maxBytes: number,
  ): void {
    const datagram = encodeReliable({ type: "error", transfer, code });
    if (datagram.length <= maxBytes) this.answer(peer, datagram);
  }

  /** True if the limits allow one more transfer. Cuts the running one: its client wants another song now. */
  #admit(peer: Peer, running: Transfer | undefined): boolean {
    running?.cut("not wanted");
    const ofAddress = this.#transfersPerAddress.get(peer.address) ?? 0;
    return this.#transfers.size < maxUdpTransfers && ofAddress < maxUdpTransfersPerAddress;
  }

  #add(transfer: Transfer): void {
    this.#transfers.set(keyOf(transfer.peer), transfer);
    this.#count(transfer.peer.address, 1);
    this.#pacer.add(transfer);
    this.#settings.meter.opened();
  }

  #count(address: string, change: number): void {
    const count = (this.#transfersPerAddress.get(address) ?? 0) + change;
    if (count === 0) this.#transfersPerAddress.delete(address);
    else this.#transfersPerAddress.set(address, count);
  }

  #refuse(peer: Peer, code: "ADDRESS_REFUSED" | "TRANSFERS_EXHAUSTED"): void {
    this.#settings.meter.failed(code);
    this.#rateLimitedLog.warn("a request is not answered", peer, new WavecacheError(code));
  }

  #send(transfer: Transfer, datagrams: readonly Uint8Array[]): Sent["state"] {
    try {
      const { count, state } = this.#sender.send(transfer.peer, datagrams);
      for (const { length } of datagrams.slice(0, count)) this.#settings.meter.bytesOut += length;
      transfer.sent(count);
      if (state === "gone") transfer.cut("client gone");
      return state;
    } catch (error) {
      this.#rateLimitedLog.warn("a client is unreachable", transfer.peer, error);
      transfer.cut("client gone");
      return "gone";
    }
  }

  #tick(): void {
    const now = performance.now();
    for (const transfer of this.#transfers.values()) transfer.tick(now);
  }
}

function keyOf({ address, port }: Peer): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
