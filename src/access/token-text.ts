/** The text of a token: a prefix that scanners for leaked secrets know, and 32 random bytes in base64url. */

export const tokenPrefix = "wc_";
/** A browser sends a token as a subprotocol of its WebSocket: this, and the token in base64url. */
export const subprotocolPrefix = "token.";

const randomBytes = 32;

export function newTokenText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(randomBytes));
  return tokenPrefix + Buffer.from(bytes).toString("base64url");
}

/** SHA-256 of a secret, in hex: what is stored and looked up, so that no comparison depends on the secret itself. */
export function hashOfSecret(secret: string): string {
  return new Bun.CryptoHasher("sha256").update(secret).digest("hex");
}
