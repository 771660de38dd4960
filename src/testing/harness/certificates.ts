/** Certificates for tests: self-signed or signed by a test authority, for any name and validity. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generate } from "selfsigned";
import type { CertificatePaths } from "../../listen/tls/certificate-files.ts";

const dayMs = 24 * 3600 * 1000;

export interface TestCertificate {
  cert: string;
  key: string;
}

export interface CertificateOptions {
  /** DNS names; the certificate also names 127.0.0.1 unless they are given. */
  names?: string[];
  /** Start and end of the validity, in days from now. */
  fromDays?: number;
  toDays?: number;
  /** Signs the certificate; without it the certificate is self-signed. */
  authority?: TestCertificate;
  isAuthority?: boolean;
}

export async function makeCertificate(options: CertificateOptions = {}): Promise<TestCertificate> {
  const { names, fromDays = -1, toDays = 30, authority, isAuthority = false } = options;
  const dns = (names ?? ["localhost"]).map((value) => ({ type: 2, value }) as const);
  const ip = names === undefined ? [{ type: 7, ip: "127.0.0.1" } as const] : [];
  const made = await generate([{ name: "commonName", value: isAuthority ? "Test authority" : "Test" }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: new Date(Date.now() + fromDays * dayMs),
    notAfterDate: new Date(Date.now() + toDays * dayMs),
    extensions: [
      { name: "basicConstraints", cA: isAuthority, critical: true },
      { name: "keyUsage", digitalSignature: true, keyCertSign: isAuthority, critical: true },
      { name: "subjectAltName", altNames: [...dns, ...ip] },
    ],
    ...(authority === undefined ? {} : { ca: authority }),
  });
  return { cert: made.cert, key: made.private };
}

/** Writes or overwrites both files, the key first. */
export async function writeCertificate(
  folder: string,
  { cert, key }: TestCertificate,
): Promise<CertificatePaths> {
  await mkdir(folder, { recursive: true });
  const paths = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  await writeFile(paths.key, key, { mode: 0o600 });
  await Bun.write(paths.cert, cert);
  return paths;
}
