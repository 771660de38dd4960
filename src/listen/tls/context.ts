/** How every TLS port of the server encrypts. */

/**
 * The suites of TLS 1.2 with authenticated encryption and forward secrecy (RFC 7525, section 4.2); those of TLS 1.3
 * all have both and are not configured here.
 */
const suites = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];

/** In PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Options of a TLS server. Versions before 1.2 have none of the suites, so that no handshake of theirs succeeds. */
export interface TlsContext extends KeyPair {
  ciphers: string;
}

export function tlsContext({ cert, key }: KeyPair): TlsContext {
  return { cert, key, ciphers: suites.join(":") };
}
