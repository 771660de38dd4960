/** The accounts of what is stored: which token uploaded or recorded it, and how many bytes all that is of a token has. */

/** A token as the store knows it. */
export interface Account {
  id: string;
  /** Undefined for no limit but that of the server. */
  maxStoredBytes: number | undefined;
}

/** What an account may have at the moment. */
export interface AccountRoom {
  id: string;
  /** Bytes of the streams apart from these; null for no limit. */
  maxBytes: number | null;
  exceptStreamIds: string[];
}

export interface AccountCatalog {
  /** The stream counts for this account from now on; null for none. */
  set(streamId: string, account: string | null): void;
  /** Bytes of all streams of an account apart from these, and of its recordings. Streams that share an object count in full. */
  storedBytes(account: string, exceptStreamIds: readonly string[]): number;
}
