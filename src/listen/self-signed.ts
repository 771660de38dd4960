/**
 * The certificate of a server that was given none: signed by itself, for this machine's names, made once and kept, so
 * that whoever trusts it has to do so once.
 */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { WavecacheError } from "../base/errors.ts";
import { selfSignedDays, selfSignedRenewalDays } from "../base/limits/connections.ts";
import { syncFolder } from "../store/layout.ts";
import { type Certificate, type CertificatePaths, readCertificate } from "./certificate-files.ts";

const dayMs = 24 * 3600 * 1000;
/** A clock that is a little behind ours shall take a new certificate too. */
const clockSkewMs = 3600 * 1000;

const subjectDns = 2;
const subjectIp = 7;

export function selfSignedPaths(folder: string): CertificatePaths {
  return { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
}

/** Whether a new one should take its place, long enough before it expires. */
export function isDue({ expires }: Pick<Certificate, "expires">): boolean {
  return expires.getTime() - Date.now() < selfSignedRenewalDays * dayMs;
}

/** The one that is kept in the folder; a new one if there is none, it is due, or a crash left half of it. */
export async function keptSelfSigned(folder: string): Promise<Certificate> {
  const kept = await readKept(selfSignedPaths(folder));
  return kept === undefined || isDue(kept) ? await makeSelfSigned(folder) : kept;
}

async function readKept(paths: CertificatePaths): Promise<Certificate | undefined> {
  try {
    return await readCertificate(paths);
  } catch (error) {
    if (error instanceof WavecacheError && error.code === "CERTIFICATE_UNUSABLE") return undefined;
    throw error;
  }
}

/** Makes one (ECDSA on P-256) and keeps it: the key first, since a pair that does not match is made anew. */
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
  // Loading this takes a tenth of a second, which only the first start needs.
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

/** Writes a file whole or not at all. It has its mode from the start: a key is never readable for a moment. */
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
