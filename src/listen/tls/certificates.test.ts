import { afterEach, describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import type { Fields, Log } from "../../base/log/log.ts";
import { Readiness } from "../../base/readiness.ts";
import { makeCertificate, writeCertificate } from "../../testing/harness/certificates.ts";
import { until } from "../../testing/harness/until.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Certificates, type CertificateSettings } from "./certificates.ts";

const waitMs = 15_000;
/** Longer than any test: only the folder watchers can report a change. */
const neverMs = 600_000;

const open: Certificates[] = [];

afterEach(() => {
  for (const certificates of open.splice(0)) certificates.close();
});

class TestLog implements Log {
  readonly lines: string[] = [];
  debug = () => {};
  info = (message: string, fields?: Fields) => this.#add("info", message, fields);
  warn = (message: string, fields?: Fields) => this.#add("warning", message, fields);
  error = (message: string, fields?: Fields) => this.#add("error", message, fields);

  #add(level: string, message: string, fields: Fields = {}): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  }

  count(level: string): number {
    return this.lines.filter((line) => line.startsWith(level)).length;
  }
}

async function openCertificates(
  settings: Pick<CertificateSettings, "files" | "folder"> & Partial<CertificateSettings>,
) {
  const log = new TestLog();
  const readiness = new Readiness();
  const certificates = await Certificates.open({ log, readiness, checkMs: neverMs, ...settings });
  open.push(certificates);
  return { certificates, log, readiness };
}

async function refusal(files: CertificateSettings["files"]): Promise<string> {
  try {
    await openCertificates({ files, folder: "unused" });
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "not refused";
}

describe("a self-signed certificate", () => {
  test("is made for the names of this machine, and stored", async () => {
    using folder = temporaryFolder();
    const tls = join(folder.path, "tls");
    const { certificates, log } = await openCertificates({ files: undefined, folder: tls });
    const { cert, key, fingerprint } = certificates.current;
    const parsed = new X509Certificate(cert);
    expect(parsed.checkHost("localhost")).toBe("localhost");
    expect(parsed.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(parsed.checkIP("::1")).toBeDefined();
    expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(parsed.ca).toBe(false);
    expect(parsed.validToDate.getTime() - Date.now()).toBeGreaterThan(800 * 24 * 3600 * 1000);
    expect(log.lines.join()).toContain(fingerprint);
    const again = await openCertificates({ files: undefined, folder: tls });
    expect(again.certificates.current).toEqual(certificates.current);
    expect(fs.readdirSync(tls).sort()).toEqual(["cert.pem", "key.pem"]);
  });

  test.skipIf(process.platform === "win32")("has a key that only its owner can read", async () => {
    using folder = temporaryFolder();
    await openCertificates({ files: undefined, folder: folder.path });
    expect(fs.statSync(join(folder.path, "key.pem")).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.platform === "win32")("warns once of a key that others can read", async () => {
    using folder = temporaryFolder();
    const made = await makeCertificate();
    const { cert, key } = await writeCertificate(folder.path, made);
    for (const [mode, warnings] of [
      [0o600, 0],
      [0o640, 0],
      [0o644, 1],
      [0o604, 1],
    ] as const) {
      fs.chmodSync(key, mode);
      const { log, certificates } = await openCertificates({
        files: { cert, key },
        folder: "unused",
        checkMs: 10,
      });
      // The error shows that the files were checked again.
      await Bun.write(cert, "nonsense");
      await until("a check of the files", waitMs, () => log.count("error") === 1);
      expect(log.lines.filter((line) => line.includes("read the private key")).length).toBe(warnings);
      certificates.close();
      await writeCertificate(folder.path, made);
    }
  });

  test("is made anew shortly before it expires, and after a crash that left only half of it", async () => {
    using folder = temporaryFolder();
    const old = await makeCertificate({ fromDays: -800, toDays: 3 });
    await writeCertificate(folder.path, old);
    const first = (await openCertificates({ files: undefined, folder: folder.path })).certificates.current;
    expect(first.cert).not.toBe(old.cert);
    fs.writeFileSync(join(folder.path, "key.pem"), old.key);
    const second = (await openCertificates({ files: undefined, folder: folder.path })).certificates.current;
    expect(second.cert).not.toBe(first.cert);
  });

  test("is renewed while the server runs", async () => {
    using folder = temporaryFolder();
    const old = await makeCertificate({ toDays: 30 + 3 / 24 / 3600 });
    await writeCertificate(folder.path, old);
    const { certificates } = await openCertificates({ files: undefined, folder: folder.path, checkMs: 50 });
    expect(certificates.current.cert).toBe(old.cert);
    await until("a new certificate", waitMs, () => certificates.current.cert !== old.cert);
    expect(certificates.current.expires.getTime()).toBeGreaterThan(Date.now() + 800 * 24 * 3600 * 1000);
  });
});

describe("a certificate from files", () => {
  test("is replaced when both files are written", async () => {
    using folder = temporaryFolder();
    const files = await writeCertificate(folder.path, await makeCertificate());
    const { certificates } = await openCertificates({ files, folder: "unused" });
    const seen: string[] = [];
    const stop = certificates.onChange(({ fingerprint }) => seen.push(fingerprint));
    const next = await makeCertificate();
    await writeCertificate(folder.path, next);
    await until("the new certificate", waitMs, () => certificates.current.cert === next.cert);
    expect(certificates.current.key).toBe(next.key);
    expect(seen).toEqual([new X509Certificate(next.cert).fingerprint256]);
    stop();
    const last = await makeCertificate();
    await writeCertificate(folder.path, last);
    await until("the last certificate", waitMs, () => certificates.current.cert === last.cert);
    expect(seen.length).toBe(1);
  });

  test.skipIf(process.platform === "win32")(
    "is replaced when links change, as certbot changes them",
    async () => {
      using folder = temporaryFolder();
      const live = join(folder.path, "live");
      fs.mkdirSync(live);
      const files = { cert: join(live, "cert.pem"), key: join(live, "key.pem") };
      const renew = async (name: string) => {
        const made = await makeCertificate();
        const archived = await writeCertificate(join(folder.path, name), made);
        for (const part of ["key", "cert"] as const) {
          fs.symlinkSync(archived[part], `${files[part]}.link`);
          fs.renameSync(`${files[part]}.link`, files[part]);
        }
        return made;
      };
      await renew("1");
      const { certificates } = await openCertificates({ files, folder: "unused" });
      const next = await renew("2");
      await until("the new certificate", waitMs, () => certificates.current.cert === next.cert);
    },
  );

  test.skipIf(process.platform === "win32")(
    "is replaced after the next check if the watchers report no change",
    async () => {
      using folder = temporaryFolder();
      const link = join(folder.path, "now");
      await writeCertificate(join(folder.path, "1"), await makeCertificate());
      fs.symlinkSync("1", link);
      const files = { cert: join(link, "cert.pem"), key: join(link, "key.pem") };
      const { certificates } = await openCertificates({ files, folder: "unused", checkMs: 50 });
      const next = await makeCertificate();
      await writeCertificate(join(folder.path, "2"), next);
      fs.symlinkSync("2", `${link}.link`);
      fs.renameSync(`${link}.link`, link);
      await until("the new certificate", waitMs, () => certificates.current.cert === next.cert);
    },
  );

  test("stays in use, with one line in the log, while the new files are unusable", async () => {
    using folder = temporaryFolder();
    const files = await writeCertificate(folder.path, await makeCertificate());
    const { certificates, log } = await openCertificates({ files, folder: "unused", checkMs: 20 });
    const before = certificates.current;
    const next = await makeCertificate();
    fs.writeFileSync(files.cert, next.cert);
    await until("an error in the log", waitMs, () => log.count("error") > 0);
    expect(log.lines.at(-1)).toContain("is not the key of");
    const errors = log.count("error");
    // Up to ten checks run into the same failure again.
    await Bun.sleep(200);
    expect(log.count("error")).toBe(errors);
    fs.rmSync(files.key);
    await until("another error in the log", waitMs, () => log.count("error") > errors);
    expect(log.lines.at(-1)).toContain("ENOENT");
    expect(certificates.current).toBe(before);
    fs.writeFileSync(files.key, next.key);
    await until("the new certificate", waitMs, () => certificates.current.cert === next.cert);
  });

  test("is used after it has expired, with a warning, and makes the server unready until it is renewed", async () => {
    using folder = temporaryFolder();
    const files = await writeCertificate(folder.path, await makeCertificate({ fromDays: -9, toDays: -1 }));
    const { log, readiness } = await openCertificates({ files, folder: "unused", checkMs: 10 });
    expect(log.count("warning")).toBe(1);
    expect(readiness.reasons).toEqual([
      { code: "CERTIFICATE_EXPIRED", message: "the certificate has expired" },
    ]);
    await writeCertificate(folder.path, await makeCertificate());
    await until("readiness", waitMs, () => readiness.isReady);
    expect(log.count("warning")).toBe(1);
  });

  test("makes the server unready when it expires while the server runs", async () => {
    using folder = temporaryFolder();
    const secondInDays = 1 / (24 * 3600);
    const soon = await makeCertificate({ fromDays: -9, toDays: 2 * secondInDays });
    const files = await writeCertificate(folder.path, soon);
    const { readiness } = await openCertificates({ files, folder: "unused", checkMs: 10 });
    expect(readiness.isReady).toBe(true);
    await until("the end of the certificate", waitMs, () => readiness.has("CERTIFICATE_EXPIRED"));
  });

  test("is refused with the name of the wrong file if it is unusable", async () => {
    using folder = temporaryFolder();
    const [one, other] = [await makeCertificate(), await makeCertificate()];
    const files = await writeCertificate(folder.path, one);
    const missing = join(folder.path, "missing.pem");
    expect(await refusal({ ...files, cert: missing })).toContain(`${missing} cannot be read (ENOENT)`);
    expect(await refusal({ ...files, key: folder.path })).toContain(`${folder.path} is not a file`);
    expect(await refusal({ cert: files.key, key: files.key })).toContain("holds no certificate");
    expect(await refusal({ cert: files.cert, key: files.cert })).toContain("holds no private key");
    fs.writeFileSync(files.key, other.key);
    expect(await refusal(files)).toContain(`${files.key} is not the key of ${files.cert}`);
    const encrypted = createPrivateKey(one.key).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "secret",
    });
    fs.writeFileSync(files.key, encrypted);
    expect(await refusal(files)).toContain("is encrypted");
  });
});
