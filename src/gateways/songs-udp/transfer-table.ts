/** The transfers in progress: one at most for each peer, an address with a port, and a limit for each address. */
import { maxUdpTransfers, maxUdpTransfersPerAddress } from "../../base/limits/songs.ts";
import { ReliableTransfer } from "./reliable-transfer.ts";
import { keyOf, type Peer, type Transfer } from "./transfer.ts";

export class TransferTable {
  readonly #byPeer = new Map<string, Transfer>();
  /** The reliable ones by the number that their client chose: it stays when the address of the client changes. */
  readonly #byId = new Map<bigint, ReliableTransfer>();
  readonly #perAddress = new Map<string, number>();

  /** All of them. Transfers may be removed meanwhile. */
  [Symbol.iterator](): Iterator<Transfer> {
    return this.#byPeer.values();
  }

  at(peer: Peer): Transfer | undefined {
    return this.#byPeer.get(keyOf(peer));
  }

  withId(id: bigint): ReliableTransfer | undefined {
    return this.#byId.get(id);
  }

  /** Whether the limits allow one more transfer. */
  get isFull(): boolean {
    return this.#byPeer.size >= maxUdpTransfers;
  }

  /** Whether the limits allow one more transfer to this address. */
  isFullFor({ address }: Peer): boolean {
    return (this.#perAddress.get(address) ?? 0) >= maxUdpTransfersPerAddress;
  }

  /** The peer must have no transfer. */
  add(transfer: Transfer): void {
    this.#byPeer.set(keyOf(transfer.peer), transfer);
    this.#count(transfer.peer, 1);
    if (transfer instanceof ReliableTransfer) this.#byId.set(transfer.id, transfer);
  }

  remove(transfer: Transfer): void {
    this.#byPeer.delete(keyOf(transfer.peer));
    this.#count(transfer.peer, -1);
    if (transfer instanceof ReliableTransfer) this.#byId.delete(transfer.id);
  }

  /** The client of a transfer has another address, which must have no transfer. */
  move(transfer: ReliableTransfer, peer: Peer, now: number): void {
    this.remove(transfer);
    transfer.moveTo(peer, now);
    this.add(transfer);
  }

  #count({ address }: Peer, change: number): void {
    const count = (this.#perAddress.get(address) ?? 0) + change;
    if (count === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
  }
}
