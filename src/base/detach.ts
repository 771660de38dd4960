/**
 * Frees the memory behind a view at once. All views of that memory are empty afterwards.
 *
 * The garbage collector would free it too, but lets tens of megabytes of messages pile up at full speed: with 128
 * uploads 0.3 to 0.7 MiB more per stream. Freed at once, the memory is reused for the next message while it is still in
 * the processor's cache.
 */
export function detach(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
}
