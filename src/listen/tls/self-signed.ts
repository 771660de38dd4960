/**
 * A self-signed certificate for the names of this machine, for servers without a certificate of their own. It is stored
 * and reused: clients need to trust it only once.
 */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { selfSignedDays, selfSignedRenewalDays } from "../../base/limits/connections.ts";
import { syncFolder } from "../../store/layout.ts";
import { type Certificate, type CertificatePaths, readCertificate } from "./certificate-files.ts";

const dayMs = 24 * 3600 * 1000;
/** Backdates a new certificate, so that clients with a slow clock accept it too. */
const clockSkewMs = 3600 * 1000;

const subjectDns = 2;
const subjectIp = 7;

export function selfSignedPaths(folder: string): CertificatePaths {
  return { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
}

/** Whether the certificate must be renewed, which is long before it expires. */
export function isDue({ expires }: Pick<Certificate, "expires">): boolean {
  return expires.getTime() - Date.now() < selfSignedRenewalDays * dayMs;
}

/** The stored certificate; a new one if there is none, it is due for renewal, or a crash left only half of it. */
export async function storedSelfSigned(folder: string): Promise<Certificate> {
  const stored = await readStored(selfSignedPaths(folder));
  return stored === undefined || isDue(stored) ? await makeSelfSigned(folder) : stored;
}

async function readStored(paths: CertificatePaths): Promise<Certificate | undefined> {
  try {
    return await readCertificate(paths);
  } catch (error) {
    if (error instanceof WavecacheError && error.code === "CERTIFICATE_UNUSABLE") return undefined;
    throw error;
  }
}

/** Makes and stores a certificate (ECDSA on P-256): the key first, because a pair that does not match is made anew. */
export async function makeSelfSigned(folder: string): Promise<Certificate> {
  const { cert, key } = await generate();
  const paths = selfSignedPaths(folder);
  await mkdir(folder, { recursive: true });
  await replace(paths.key, key, 0o600);
  await replace(paths.cert, cert, 0o644);
  syncFolder(folder);
  return await readCertificate(paths);
}

async function generate(): Promise<{ cert: string; key: string }> {
  // Loading the module takes 0.1 s, and only the first start needs it.
  const selfsigned = await import("selfsigned");
  const made = await selfsigned.generate([{ name: "commonName", value: "Wavecache" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(Date.now() - clockSkewMs),
    notAfterDate: new Date(Date.now() + selfSignedDays * dayMs),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: altNames() },
    ],
  });
  return { cert: made.cert, key: made.private };
}

function altNames() {
  const names = new Set(["localhost", hostname().toLowerCase()].filter(isHostName));
  return [
    ...Array.from(names, (value) => ({ type: subjectDns, value }) as const),
    { type: subjectIp, ip: "127.0.0.1" } as const,
    { type: subjectIp, ip: "::1" } as const,
  ];
}

function isHostName(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(name);
}

/** Replaces a file atomically. It has its mode from its creation: a key is at no time readable for others. */
async function replace(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
