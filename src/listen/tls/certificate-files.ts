/** Reads a certificate and its key from two PEM files (RFC 7468), and checks them before a server uses them. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { systemCode, WavecacheError } from "../../base/errors.ts";
import { maxCertificateFileBytes } from "../../base/limits/connections.ts";

/** Paths of the two files. The certificate may be followed by its chain. */
export interface CertificatePaths {
  cert: string;
  key: string;
}

/** The certificate of a TLS server. */
export interface Certificate {
  /** PEM: the certificate, then its chain, if it has one. */
  readonly cert: string;
  /** PEM: the private key, not encrypted. */
  readonly key: string;
  /** SHA-256 of the certificate, as `AB:CD:...`. */
  readonly fingerprint: string;
  readonly expires: Date;
}

/** Reads both files and checks that they match; throws CERTIFICATE_UNUSABLE, which names the wrong file. */
export async function readCertificate(paths: CertificatePaths): Promise<Certificate> {
  const [cert, key] = await Promise.all([readPem(paths.cert), readPem(paths.key)]);
  const certificate = attempt(`${paths.cert} holds no certificate in PEM`, () => new X509Certificate(cert));
  const fault = key.includes("ENCRYPTED")
    ? "is encrypted, and the server has no password for it"
    : "holds no private key in PEM";
  const privateKey = attempt(`${paths.key} ${fault}`, () => createPrivateKey(key));
  if (!certificate.checkPrivateKey(privateKey)) {
    throw unusable(`${paths.key} is not the key of ${paths.cert}`);
  }
  attempt(`${paths.cert} cannot be served`, () => createSecureContext({ cert, key }));
  return { cert, key, fingerprint: certificate.fingerprint256, expires: certificate.validToDate };
}

async function readPem(path: string): Promise<string> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw unusable(`${path} is not a file`);
    if (stats.size > maxCertificateFileBytes) throw unusable(`${path} is too large`);
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof WavecacheError) throw error;
    throw unusable(`${path} cannot be read (${systemCode(error) ?? String(error)})`);
  }
}

function attempt<T>(fault: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw unusable(`${fault} (${cause})`);
  }
}

function unusable(detail: string): WavecacheError {
  return new WavecacheError("CERTIFICATE_UNUSABLE", detail);
}
