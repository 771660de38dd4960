/** `prefix` is what stands before `server` and `client` where this server was started. Only the source has samples. */
export function commandText(text: string, prefix: string): string {
  if (prefix === "bun run") return text;
  return text.replace(/^bun run(?= )/, prefix).replace("data/samples/speech-16k-mono.wav", "speech.wav");
}
