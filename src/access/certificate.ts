/** Certificates as credentials: a token may stand for one, by its SHA-256, and its owner then needs no secret text. */
import { X509Certificate } from "node:crypto";

/** `der`: the certificate in DER. In lower-case hex. */
export function certificateSha256(der: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(der).digest("hex");
}

/** Of the first certificate in PEM. Throws if there is none. */
export function certificateSha256OfPem(pem: string): string {
  return certificateSha256(new X509Certificate(pem).raw);
}
