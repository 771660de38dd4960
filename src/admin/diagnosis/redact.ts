/** Hides secrets in text for a diagnosis, wherever they may have got into it. A bundle is sent to others. */

const hidden = "...";

/** Each hides its match, or what is behind the first group. */
const secrets: readonly RegExp[] = [
  // Tokens of this server, also as a subprotocol in base64url.
  /(wc_)[\w-]{16,}/g,
  /(\btoken\.)[\w-]{16,}/g,
  // Signed links: resource, expiry, issuer, signature.
  /()[\w-]{8,}\.\d{1,12}\.\w*\.[\w-]{43}/g,
  // JSON Web Tokens.
  /(eyJ)[\w-]+\.[\w-]+\.[\w-]*/g,
  // Secrets of webhooks.
  /(whsec_)[\w+/=-]{16,}/g,
  // Names and passwords in URLs.
  /([a-z][a-z\d+.-]*:\/\/)[^\s/@"'?#]+@/gi,
  // Parameters whose value is a credential.
  /([?&](?:token|link|key|sig|signature|secret|password|access_token)=)[^&\s"'#;]+/gi,
  /(\b(?:Bearer|Basic)\s)[\w.~+/=-]{8,}/g,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g,
];

export function redact(text: string): string {
  return secrets.reduce((kept, secret) => kept.replace(secret, `$1${hidden}`), text);
}
