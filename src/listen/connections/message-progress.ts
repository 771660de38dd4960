/**
 * Whether a connection is in the middle of a message. Bun reports only complete messages, and its idle timeout counts
 * every byte. If bytes arrive and no message completes, then the bytes are a part of one.
 */

/** A control frame with its header, masked, in a TLS record: RFC 6455, section 5.5, and RFC 8446, section 5.2. */
const maxControlFrameBytes = 256;

export class MessageProgress {
  /** Complete messages so far. */
  messages = 0;
  /** Bytes wait in the kernel because the server does not read them. */
  isPaused = false;
  #seenMessages = -1;
  #seenBytes = 0;
  #unfinishedSinceMs: number | undefined;

  /** A ping or pong has arrived: its bytes are no part of a message. */
  receivedControlFrame(): void {
    this.#seenBytes += maxControlFrameBytes;
  }

  /** `receivedBytes`: of the connection since its start, as the kernel counts them. */
  observe(receivedBytes: number, nowMs: number): void {
    if (this.messages !== this.#seenMessages || this.isPaused) {
      this.#seenMessages = this.messages;
      this.#seenBytes = receivedBytes;
      this.#unfinishedSinceMs = undefined;
    } else if (receivedBytes > this.#seenBytes) {
      this.#seenBytes = receivedBytes;
      this.#unfinishedSinceMs ??= nowMs;
    }
  }

  /** How long bytes of an incomplete message have been waiting for its end. */
  unfinishedMs(nowMs: number): number {
    return this.#unfinishedSinceMs === undefined ? 0 : nowMs - this.#unfinishedSinceMs;
  }
}
