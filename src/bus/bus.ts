/**
 * Messages between nodes. A message reaches whoever subscribes to its subject at that moment: nothing is kept, and
 * nothing is sent again. A subject is a list of tokens between dots; `subjectToken` makes one of any text.
 */

export interface BusMessage {
  /** Valid for as long as its owner keeps it. */
  payload: Uint8Array;
  /** Answers a request; has no effect for any other message. */
  respond(payload: Uint8Array): void;
}

export interface Bus {
  readonly isConnected: boolean;
  /** Returns false if the message was dropped: there is no connection, too much waits for it, or it is too long. */
  publish(subject: string, payload: Uint8Array): boolean;
  /** The messages of other nodes, never those of this one. Returns what ends the subscription. */
  subscribe(subject: string, onMessage: (message: BusMessage) => void): () => void;
  /**
   * Asks another node. Resolves with undefined if none subscribes to the subject; rejects with NODE_UNREACHABLE, also
   * without an answer within `limitMs`, which is `busAnswerMs` by default.
   */
  request(subject: string, payload: Uint8Array, limitMs?: number): Promise<Uint8Array | undefined>;
}

/** One token of a subject. Dots, wildcards, spaces and what is not ASCII are percent-encoded. */
export function subjectToken(text: string): string {
  return encodeURIComponent(text).replace(/[.*!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
}
