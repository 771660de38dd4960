/**
 * Songs by name over UDP, with the plain protocol and the reliable one. UDP source addresses can be forged. So the
 * reliable protocol begins with a token that the client returns, the plain one serves whole songs only to the addresses
 * that the operator trusts, and no datagram without a token changes a transfer in progress. A client is an address with
 * a port, and has one transfer at a time.
 */
import type { udp } from "bun";
import type { Access } from "../../access/access.ts";
import type { Credentials } from "../../access/credentials.ts";
import { accessRefusals } from "../../access/refusals.ts";
import { readSongRequest } from "../../access/song-request.ts";
import type { AddressList } from "../../base/address-list.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { isLastingFault, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { reliableRateFactor } from "../../base/limits/songs.ts";
import type { Log } from "../../base/log/log.ts";
import { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import { authorityOf } from "../../listen/authority.ts";
import {
  type AckMessage,
  decodeDiscover,
  decodeReliable,
  encodeReliable,
  isReliable,
  minRequestBytes,
  type ReliableMessage,
  type RequestMessage,
  tokenMessageBytes,
} from "../../wire/reliable-udp.ts";
import { decodeSongName } from "../../wire/song-name.ts";
import { Pacer } from "./pacer.ts";
import { PlainTransfer } from "./plain-transfer.ts";
import { ReliableTransfer } from "./reliable-transfer.ts";
import { Sender, type Sent } from "./sender.ts";
import { SongsAccess } from "./songs-access.ts";
import { AddressTokens } from "./tokens.ts";
import {
  type CutReason,
  keyOf,
  type Peer,
  type SongSource,
  type Transfer,
  type TransferHost,
  type UdpSong,
} from "./transfer.ts";
import { TransferTable } from "./transfer-table.ts";
import { UnvalidatedSongs } from "./unvalidated-songs.ts";

export interface SongsUdpGatewaySettings {
  host: string;
  /** 0 picks a free port. */
  port: number;
  /** These addresses get whole songs by the plain protocol, without any proof. */
  allow: AddressList;
  /** Rate limit of a plain transfer, in megabits a second. A reliable one may send at a multiple of it. */
  rateMbps: number;
  songs: SongSource;
  access: Access;
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
  readonly #transfers = new TransferTable();
  readonly #unvalidated: UnvalidatedSongs;
  readonly #songsAccess: SongsAccess;
  readonly #ticker: Timer;
  #allow: AddressList;
  #bytesPerSecond: number;
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
    this.#songsAccess = new SongsAccess(settings.songs, settings.access);
    this.#socket = socket;
    this.#sender = new Sender(socket);
    this.#pacer = new Pacer({ send: (transfer, datagrams) => this.#send(transfer, datagrams) });
    this.#rateLimitedLog = new RateLimitedLog(settings.log);
    this.#unvalidated = new UnvalidatedSongs({
      open: (peer, name) => this.#songsAccess.openAnonymous(peer, name),
      answer: (peer, datagram) => this.answer(peer, datagram),
      refused: (peer, error) => this.#refuse(peer, error),
    });
    this.#allow = settings.allow;
    this.#bytesPerSecond = bytesPerSecond(settings.rateMbps);
    this.#ticker = setInterval(() => this.#tick(), tickMs);
  }

  get port(): number {
    return this.#socket.port;
  }

  /** As a URL. */
  get address(): string {
    return `udp://${authorityOf(this.#settings.host, this.port)}`;
  }

  /** For transfers that begin from now on. */
  configure({ allow, rateMbps }: Pick<SongsUdpGatewaySettings, "allow" | "rateMbps">): void {
    this.#allow = allow;
    this.#bytesPerSecond = bytesPerSecond(rateMbps);
  }

  /** Cuts every transfer and closes the port. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const transfer of this.#transfers) transfer.cut("SHUTTING_DOWN");
    this.#pacer.close();
    this.#socket.close();
  }

  receive(peer: Peer, datagram: Uint8Array): void {
    this.#settings.meter.bytesIn += datagram.length;
    // An empty datagram marks the end of a song. Answering it could make two servers answer each other forever.
    if (this.#isClosed || datagram.length === 0 || peer.port === 0) return;
    if (isReliable(datagram)) return this.#receiveReliable(peer, datagram);
    const id = decodeDiscover(datagram);
    if (id === undefined) this.#receivePlain(peer, datagram);
    else if (!this.#isSendingPlain(peer)) this.#answerWithToken(peer, id, performance.now());
  }

  open(transfer: Transfer): Promise<UdpSong> {
    return this.#songsAccess.open(transfer);
  }

  wake(): void {
    if (!this.#isClosed) this.#pacer.wake();
  }

  answer(peer: Peer, datagram: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      const { count } = this.#sender.send(peer, [datagram]);
      this.#settings.meter.bytesOut += count * datagram.length;
    } catch (error) {
      this.#rateLimitedLog.warn("sending an answer failed", { address: peer.address, error });
    }
  }

  ended(transfer: Transfer, cut: CutReason | undefined): void {
    const { peer, name } = transfer;
    this.#transfers.remove(transfer);
    this.#pacer.remove(transfer);
    this.#songsAccess.forget(transfer);
    this.#settings.meter.closed();
    if (cut !== undefined && cut !== "client gone" && cut !== "not wanted") this.#settings.meter.failed(cut);
    this.#settings.log.debug("a transfer ended", { name, to: keyOf(peer), cut: cut ?? "no" });
    const isEnded = cut === undefined || cut === "SONG_UNKNOWN";
    if (isEnded && transfer instanceof PlainTransfer && transfer.next !== undefined)
      this.#startPlain(peer, transfer.next);
  }

  failed({ peer, name }: Transfer, error: unknown): void {
    const { log } = this.#settings;
    const { code } = toWavecacheError(error);
    const write = isLastingFault(code) || accessRefusals.has(code) ? log.debug : log.warn;
    write("sending a song failed", { name, to: keyOf(peer), error });
  }

  #receivePlain(peer: Peer, datagram: Uint8Array): void {
    const text = decodeSongName(datagram);
    // The protocol carries no credential: one in the name must not get into a log.
    const name = text === undefined ? undefined : readSongRequest(text).name;
    const running = this.#transfers.at(peer);
    if (running instanceof PlainTransfer && name !== undefined) running.request(name);
    if (running !== undefined) return;
    if (!this.#allow.has(peer.address)) return void this.#unvalidated.answer(peer, datagram.length, name);
    // An invalid name gets the answer of an unknown song.
    if (name === undefined) this.answer(peer, new Uint8Array(0));
    else this.#startPlain(peer, name);
  }

  #startPlain(peer: Peer, name: string): void {
    if (this.#isFull(peer)) return this.#refuse(peer, new WavecacheError("TRANSFERS_EXHAUSTED"));
    const transfer = new PlainTransfer(peer, name, this.#bytesPerSecond, this);
    this.#add(transfer);
    void transfer.start();
  }

  /** The client would take any other datagram for a part of its song, and a short one for the end. */
  #isSendingPlain(peer: Peer): boolean {
    return this.#transfers.at(peer) instanceof PlainTransfer || this.#unvalidated.isAnswering(peer);
  }

  #receiveReliable(peer: Peer, datagram: Uint8Array): void {
    if (this.#isSendingPlain(peer)) return;
    const message = decodeReliable(datagram);
    if (message === undefined) return this.#answerMalformed(peer, datagram);
    const transfer = this.#transfers.withId(message.transfer);
    const isItsPeer = transfer !== undefined && keyOf(transfer.peer) === keyOf(peer);
    const now = performance.now();
    if (message.type === "request") {
      if (isItsPeer) transfer.repeat(now);
      else this.#request(peer, message, transfer, now);
    } else if (message.type === "ack") {
      if (isItsPeer) transfer.acknowledge(message, now);
      else this.#answerAck(peer, message, transfer, datagram.length);
    } else if (message.type === "close" && isItsPeer) transfer.closed(message.complete);
  }

  /** Answers a request of another version with an error. Ignores other malformed messages. */
  #answerMalformed(peer: Peer, datagram: Uint8Array): void {
    this.#settings.meter.failed("BAD_REQUEST");
    if (datagram.length < minRequestBytes) return;
    const transfer = new DataView(datagram.buffer, datagram.byteOffset).getBigUint64(8, true);
    this.#answerShort(peer, transfer, "BAD_REQUEST", datagram.length);
  }

  /** An ACK from a peer that has no such transfer. Perhaps its address has changed: then it has to prove the new one. */
  #answerAck(
    peer: Peer,
    { transfer: id }: AckMessage,
    transfer: ReliableTransfer | undefined,
    ackBytes: number,
  ): void {
    if (transfer === undefined) this.#answerShort(peer, id, "TRANSFER_UNKNOWN", ackBytes);
    else if (ackBytes >= tokenMessageBytes) this.#answerWithToken(peer, id, performance.now());
  }

  #answerWithToken(peer: Peer, id: bigint, now: number): void {
    const moves = this.#transfers.withId(id)?.moves ?? 0;
    this.#answer(peer, { type: "token", transfer: id, token: this.#tokens.issue(peer, { id, moves }, now) });
  }

  /** A request for a new transfer, or for `transfer` from another address than that of its client. */
  #request(peer: Peer, request: RequestMessage, transfer: ReliableTransfer | undefined, now: number): void {
    const { transfer: id, token } = request;
    if (!this.#tokens.isValid(token, peer, { id, moves: transfer?.moves ?? 0 }, now))
      return this.#answerWithToken(peer, id, now);
    // The client has proven its address: what it requested there before is no longer wanted.
    this.#transfers.at(peer)?.cut("not wanted");
    const { name, credentials } = readSongRequest(request.name);
    if (transfer === undefined) this.#startReliable(peer, { ...request, name }, credentials, now);
    else if (transfer.name === name) this.#move(transfer, peer, now);
  }

  #startReliable(peer: Peer, request: RequestMessage, credentials: Credentials, now: number): void {
    if (this.#isFull(peer)) {
      const error = new WavecacheError("TRANSFERS_EXHAUSTED");
      this.#refuse(peer, error);
      return this.#answer(peer, { type: "error", transfer: request.transfer, code: error.code });
    }
    const maxBytesPerSecond = this.#bytesPerSecond * reliableRateFactor;
    const transfer = new ReliableTransfer(peer, request, maxBytesPerSecond, now, this);
    this.#songsAccess.add(transfer, credentials);
    this.#add(transfer);
    void transfer.start();
  }

  #move(transfer: ReliableTransfer, peer: Peer, now: number): void {
    const from = transfer.peer;
    if (from.address !== peer.address && this.#transfers.isFullFor(peer))
      return this.#refuse(peer, new WavecacheError("TRANSFERS_EXHAUSTED"));
    this.#transfers.move(transfer, peer, now);
    this.#songsAccess.moved(transfer);
    const { name } = transfer;
    this.#settings.log.debug("the address of a client changed", { name, from: keyOf(from), to: keyOf(peer) });
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

  #isFull(peer: Peer): boolean {
    return this.#transfers.isFull || this.#transfers.isFullFor(peer);
  }

  #add(transfer: Transfer): void {
    this.#transfers.add(transfer);
    this.#pacer.add(transfer);
    this.#settings.meter.opened();
  }

  #refuse(peer: Peer, error: unknown): void {
    this.#settings.meter.failed(toWavecacheError(error).code);
    this.#rateLimitedLog.warn("a request is not answered in full", { address: peer.address, error });
  }

  #send(transfer: Transfer, datagrams: readonly Uint8Array[]): Sent["state"] {
    try {
      const { count, state } = this.#sender.send(transfer.peer, datagrams);
      for (const { length } of datagrams.slice(0, count)) this.#settings.meter.bytesOut += length;
      transfer.sent(count);
      if (state === "gone") transfer.unreachable();
      return state;
    } catch (error) {
      this.#rateLimitedLog.warn("a client is unreachable", { address: transfer.peer.address, error });
      transfer.unreachable();
      return "gone";
    }
  }

  #tick(): void {
    const now = performance.now();
    for (const transfer of this.#transfers) transfer.tick(now);
  }
}

function bytesPerSecond(mbps: number): number {
  return (mbps * 1_000_000) / 8;
}
