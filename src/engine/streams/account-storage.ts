/**
 * Limits of the bytes that an account has stored. The catalog knows what its streams and recordings have, apart from what
 * is being uploaded or recorded: these bytes are counted as they arrive, so that nothing runs past the limit meanwhile.
 */
import { WavecacheError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import type { Pool } from "../../pool/pool.ts";
import type { Account, AccountRoom } from "../../store/streams/accounts.ts";

/** The part of an upload, or of a recording, that counts. */
export interface CountedUpload {
  /** Of the stream whose bytes in the catalog do not count; undefined for a recording. */
  readonly streamId: string | undefined;
  readonly receivedBytes: number;
  readonly over: Promise<void>;
}

/** An account with uploads in progress. */
interface Share {
  readonly account: Account;
  readonly uploads: Set<CountedUpload>;
  /** Of the streams that nobody uploads; undefined until the catalog has answered. */
  storedBytes: number | undefined;
  /** How often bytes came into the catalog: its answer may not know of the last ones. */
  changes: number;
}

export class AccountStorage {
  readonly #keeper: Pick<Pool["keeper"], "call">;
  readonly #log: Log;
  readonly #shares = new Map<string, Share>();
  readonly #byUpload = new WeakMap<CountedUpload, Share>();

  constructor(keeper: Pick<Pool["keeper"], "call">, log: Log) {
    this.#keeper = keeper;
    this.#log = log;
  }

  /** Counts an upload until it is over. Call it at once, and await `check` before the upload may begin. */
  begin(upload: CountedUpload, account: Account | undefined): void {
    if (account?.maxStoredBytes === undefined) return;
    const share = this.#shares.get(account.id) ?? {
      account,
      uploads: new Set(),
      storedBytes: undefined,
      changes: 0,
    };
    this.#shares.set(account.id, share);
    this.#byUpload.set(upload, share);
    share.uploads.add(upload);
    void upload.over.then(() => this.#end(share, upload));
  }

  isLimited(upload: CountedUpload): boolean {
    return this.#byUpload.has(upload);
  }

  /** Rejects with TOKEN_LIMIT_REACHED if there is no room for a stream of `size`, or for a byte more. */
  async check(upload: CountedUpload, size: number | undefined): Promise<void> {
    const share = this.#byUpload.get(upload);
    if (share === undefined) return;
    await this.#load(share);
    const { receivedBytes: received } = upload;
    const refusal = refusalOf(share, Math.max(size ?? 0, received, 1) - received);
    if (refusal !== undefined) throw refusal;
  }

  /** Reads what the account has, without a limit: for an upload that may only be removed. */
  async count(upload: CountedUpload): Promise<void> {
    const share = this.#byUpload.get(upload);
    if (share !== undefined) await this.#load(share);
  }

  /** Why an upload may not take more bytes; undefined if it may. */
  refuseWrite(upload: CountedUpload, moreBytes: number): WavecacheError | undefined {
    const share = this.#byUpload.get(upload);
    return share === undefined ? undefined : refusalOf(share, moreBytes);
  }

  /** What the catalog must compare before an account may have one more stream at once. */
  roomOf(account: Account | undefined): AccountRoom | null {
    if (account === undefined) return null;
    const { id, maxStoredBytes } = account;
    const share = this.#shares.get(id);
    const exceptStreamIds = share === undefined ? [] : idsOf(share);
    const maxBytes = maxStoredBytes === undefined ? null : maxStoredBytes - receivedBytes(share);
    return { id, maxBytes, exceptStreamIds };
  }

  /** An account got a stream of this size without an upload. */
  adopted(account: Account | undefined, bytes: number): void {
    const share = account === undefined ? undefined : this.#shares.get(account.id);
    if (share?.storedBytes !== undefined) share.storedBytes += bytes;
  }

  /** Bytes of a recording that goes on are in the catalog from now on. Call it before they count no longer as received. */
  entered(upload: CountedUpload, bytes: number): void {
    const share = this.#byUpload.get(upload);
    if (share !== undefined) this.#changed(share, bytes);
  }

  async #load(share: Share): Promise<void> {
    let { changes } = share;
    for (;;) {
      const args = { account: share.account.id, exceptStreamIds: idsOf(share) };
      const storedBytes = await this.#keeper.call("storedBytes", args);
      if (changes === share.changes) return void (share.storedBytes = storedBytes);
      changes = share.changes;
    }
  }

  #end(share: Share, upload: CountedUpload): void {
    share.uploads.delete(upload);
    if (share.uploads.size === 0) return void this.#shares.delete(share.account.id);
    this.#changed(share, upload.receivedBytes);
  }

  /** Until the catalog says what it keeps of these bytes, nobody else must take their room. */
  #changed(share: Share, bytes: number): void {
    share.changes += 1;
    share.storedBytes = (share.storedBytes ?? 0) + bytes;
    void this.#reload(share);
  }

  /** After a failure the account has too little room until its next upload begins. */
  async #reload(share: Share): Promise<void> {
    try {
      await this.#load(share);
    } catch (error) {
      this.#log.debug("stored bytes of a token are not counted", { token: share.account.id, error });
    }
  }
}

function refusalOf(share: Share, moreBytes: number): WavecacheError | undefined {
  const usedBytes = (share.storedBytes ?? 0) + receivedBytes(share);
  if (usedBytes + moreBytes <= share.account.maxStoredBytes!) return undefined;
  return new WavecacheError("TOKEN_LIMIT_REACHED", "storedBytes");
}

function receivedBytes(share: Share | undefined): number {
  let bytes = 0;
  for (const upload of share?.uploads ?? []) bytes += upload.receivedBytes;
  return bytes;
}

function idsOf(share: Share): string[] {
  return Array.from(share.uploads, ({ streamId }) => streamId).filter((id) => id !== undefined);
}
