/** Where this server is: at the root of its host, or below a path behind a proxy (`--base-path`). */

/** Without a slash at its end; empty for the root. */
export const basePath = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** The address of something that the server has: `api/streams`. A slash at its beginning is ignored. */
export function addressOf(path: string): string {
  return new URL(path.replace(/^\//, ""), document.baseURI).href;
}

/** The address of a WebSocket of the server. */
export function socketAddressOf(path: string): string {
  return addressOf(path).replace(/^http/, "ws");
}

/** What the server wrote into the head of the page. */
export function settingOf(name: "audio-path" | "version" | "style-nonce" | "command"): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="wavecache-${name}"]`)?.content ?? "";
}
