/**
 * The UDP port: songs by name, by the old protocol and by the reliable one. UDP has no connections, so anybody can ask in
 * anybody's name: addresses that are not allowed are never answered, and what is sent to the others has limits for each
 * address and in all. A client is an address with a port; it has one transfer at a time.
 */
import type { udp } from "bun";
import type { AddressList } from "../../base/address-list.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { maxUdpTransfers, maxUdpTransfersPerAddress, reliableRateFactor } from "../../base/limits/songs.ts";
import type { Log } from "../../base/log.ts";
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
import type { Cut, Peer, SongSource, Transfer, TransferHost, UdpSong } from "./transfer.ts";

export interface SongsUdpGatewaySettings {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Who is answered. */
  allow: AddressList;
  /** The most that one transfer by the old protocol sends, in megabits a second; a reliable one has a multiple of it. */
  rateMbps: number;
  songs: SongSource;
  meter: GatewayMeter;
  log: Log;
}

/** How often transfers are looked after. */
const lookMs = 250;

export class SongsUdpGateway implements TransferHost {
  readonly #settings: SongsUdpGatewaySettings;
  readonly #socket: udp.Socket<"uint8array">;
  readonly #sender: Sender;
  readonly #pacer: Pacer;
  readonly #tokens = new AddressTokens();
  readonly #rateLimitedLog: RateLimitedLog;
  readonly #transfers = new Map<string, Transfer>();
  readonly #perAddress = new Map<string, number>();
  readonly #looking: Timer;
  readonly #bytesPerSecond: number;
  #isClosed = false;

  /** Takes the port. Rejects with the system's error if that cannot be had. */
  static async open(settings: SongsUdpGatewaySettings): Promise<SongsUdpGateway> {
    let door: SongsUdpGateway | undefined;
    const socket = await Bun.udpSocket<"uint8array">({
      hostname: settings.host,
      port: settings.port,
      binaryType: "uint8array",
      socket: {
        data: (_socket, datagram, port, address) => door?.receive({ address, port }, datagram),
        // A refusal by some client's system, without its address: the next batch to that client will find out.
        error: () => {},
      },
    });
    door = new SongsUdpGateway(settings, socket);
    return door;
  }

  private constructor(settings: SongsUdpGatewaySettings, socket: udp.Socket<"uint8array">) {
    this.#settings = settings;
    this.#socket = socket;
    this.#sender = new Sender(socket);
    this.#pacer = new Pacer({ send: (transfer, datagrams) => this.#send(transfer, datagrams) });
    this.#rateLimitedLog = new RateLimitedLog(settings.log);
    this.#bytesPerSecond = (settings.rateMbps * 1_000_000) / 8;
    this.#looking = setInterval(() => this.#look(), lookMs);
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Cuts what is under way and frees the port. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#looking);
    for (const transfer of this.#transfers.values()) transfer.cut("SHUTTING_DOWN");
    this.#pacer.close();
    this.#socket.close();
  }

  receive(peer: Peer, datagram: Uint8Array): void {
    this.#settings.meter.bytesIn += datagram.length;
    // An empty datagram is how an answer ends, so it is never a question: two servers would go on for ever.
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
      this.#rateLimitedLog.note("an answer could not be sent", peer, error);
    }
  }

  over(transfer: Transfer, cut: Cut | undefined): void {
    const { peer, name } = transfer;
    this.#transfers.delete(keyOf(peer));
    this.#pacer.remove(transfer);
    this.#count(peer.address, -1);
    this.#settings.meter.closed();
    if (cut !== undefined && cut !== "client gone" && cut !== "not wanted") this.#settings.meter.failed(cut);
    this.#settings.log.debug("a song was sent", { name, to: keyOf(peer), cut: cut ?? "no" });
  }

  failed({ peer, name }: Transfer, error: unknown): void {
    this.#settings.log.warn("a song cannot be sent", { name, to: keyOf(peer), error });
  }

  #receivePlain(peer: Peer, datagram: Uint8Array): void {
    const name = decodeSongName(datagram);
    // What is no name gets the answer of a song that is not there.
    if (name === undefined) return this.answer(peer, new Uint8Array(0));
    const running = this.#transfers.get(keyOf(peer));
    // A client that has not got anything yet asks again.
    if (running instanceof PlainTransfer && running.name === name) return;
    if (!this.#mayStart(peer, running)) return this.#refuse(peer, "TRANSFERS_EXHAUSTED");
    const transfer = new PlainTransfer(peer, name, this.#bytesPerSecond, this);
    this.#add(transfer);
    void transfer.start();
  }

  #receiveReliable(peer: Peer, datagram: Uint8Array): void {
    const message = decodeReliable(datagram);
    if (message === undefined) return this.#answerUnreadable(peer, datagram);
    if (message.type === "request") return this.#request(peer, message);
    const transfer = this.#transfers.get(keyOf(peer));
    const isKnown = transfer instanceof ReliableTransfer && transfer.id === message.transfer;
    if (message.type === "ack") {
      if (isKnown) transfer.acknowledge(message, performance.now());
      else this.#answerShort(peer, message.transfer, "TRANSFER_UNKNOWN", datagram.length);
    } else if (message.type === "close" && isKnown) transfer.closed(message.complete);
  }

  /** A request of another version is told so; everything else that cannot be read is left alone. */
  #answerUnreadable(peer: Peer, datagram: Uint8Array): void {
    this.#settings.meter.failed("BAD_REQUEST");
    if (datagram.length < minRequestBytes) return;
    const transfer = new DataView(datagram.buffer, datagram.byteOffset).getBigUint64(8, true);
    this.#answerShort(peer, transfer, "BAD_REQUEST", datagram.length);
  }

  #request(peer: Peer, request: RequestMessage): void {
    const now = performance.now();
    const { transfer: id, token } = request;
    if (!this.#tokens.isGood(token, peer, id, now)) {
      const fresh = this.#tokens.issue(peer, id, now);
      return this.answer(peer, encodeReliable({ type: "token", transfer: id, token: fresh }));
    }
    const running = this.#transfers.get(keyOf(peer));
    if (running instanceof ReliableTransfer && running.id === id) return running.repeat(now);
    if (!this.#mayStart(peer, running)) {
      this.#refuse(peer, "TRANSFERS_EXHAUSTED");
      return this.#answer(peer, { type: "error", transfer: id, code: "TRANSFERS_EXHAUSTED" });
    }
    const most = this.#bytesPerSecond * reliableRateFactor;
    const transfer = new ReliableTransfer(peer, request, most, now, this);
    this.#add(transfer);
    void transfer.start();
  }

  #answer(peer: Peer, message: ReliableMessage): void {
    this.answer(peer, encodeReliable(message));
  }

  /** Answers somebody who may have been impersonated: never with more than came. */
  #answerShort(peer: Peer, transfer: bigint, code: "TRANSFER_UNKNOWN" | "BAD_REQUEST", most: number): void {
    const datagram = encodeReliable({ type: "error", transfer, code });
    if (datagram.length <= most) this.answer(peer, datagram);
  }

  /** Whether there is room for one more. A client that asks for another song has left the one it was sent. */
  #mayStart(peer: Peer, running: Transfer | undefined): boolean {
    running?.cut("not wanted");
    const ofAddress = this.#perAddress.get(peer.address) ?? 0;
    return this.#transfers.size < maxUdpTransfers && ofAddress < maxUdpTransfersPerAddress;
  }

  #add(transfer: Transfer): void {
    this.#transfers.set(keyOf(transfer.peer), transfer);
    this.#count(transfer.peer.address, 1);
    this.#pacer.add(transfer);
    this.#settings.meter.opened();
  }

  #count(address: string, change: number): void {
    const count = (this.#perAddress.get(address) ?? 0) + change;
    if (count === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
  }

  #refuse(peer: Peer, code: "ADDRESS_REFUSED" | "TRANSFERS_EXHAUSTED"): void {
    this.#settings.meter.failed(code);
    this.#rateLimitedLog.note("a request is not answered", peer, new WavecacheError(code));
  }

  #send(transfer: Transfer, datagrams: readonly Uint8Array[]): Sent["state"] {
    try {
      const { count, state } = this.#sender.send(transfer.peer, datagrams);
      for (const { length } of datagrams.slice(0, count)) this.#settings.meter.bytesOut += length;
      transfer.sent(count);
      if (state === "gone") transfer.cut("client gone");
      return state;
    } catch (error) {
      this.#rateLimitedLog.note("a client cannot be reached", transfer.peer, error);
      transfer.cut("client gone");
      return "gone";
    }
  }

  #look(): void {
    const now = performance.now();
    for (const transfer of this.#transfers.values()) transfer.look(now);
  }
}

function keyOf({ address, port }: Peer): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
