/**
 * The certificate that all TLS ports of the server share: from two files, or self-signed. It is replaced while the
 * server runs if the files change. Unusable files leave the current certificate in place and an error in the log.
 */
import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { permitsMoreThan } from "../../base/system/file-mode.ts";
import { errorRow, toWavecacheError } from "../../base/errors.ts";
import { certificateCheckMs, certificateSettleMs } from "../../base/limits/connections.ts";
import type { Log } from "../../base/log/log.ts";
import type { Readiness } from "../../base/readiness.ts";
import { type Certificate, type CertificatePaths, readCertificate } from "./certificate-files.ts";
import { isDue, storedSelfSigned, makeSelfSigned, selfSignedPaths } from "./self-signed.ts";

export interface CertificateSettings {
  /** Undefined for a self-signed certificate. */
  files: CertificatePaths | undefined;
  /** Folder of the self-signed certificate. */
  folder: string;
  /** Has CERTIFICATE_EXPIRED while clients refuse the certificate. */
  readiness: Readiness;
  log: Log;
  /** Interval at which the files are checked even without a reported change. */
  checkMs?: number;
}

export type CertificateListener = (certificate: Certificate) => void;

export class Certificates {
  readonly #settings: CertificateSettings;
  readonly #listeners = new Set<CertificateListener>();
  readonly #watchers: FSWatcher[] = [];
  readonly #check: Timer;
  #current: Certificate;
  #settling: Timer | undefined;
  /** Reloads run one after the other. */
  #reloading: Promise<void> = Promise.resolve();
  /** The failure that was logged last; the same failure is not logged again. */
  #failure = "";
  #closed = false;

  private constructor(settings: CertificateSettings, current: Certificate) {
    this.#settings = settings;
    this.#current = current;
    this.#checkExpiry();
    if (settings.files !== undefined) this.#watch(settings.files);
    // A folder watcher misses changes on network file systems, and of links further up the path.
    this.#check = setInterval(() => {
      this.#checkExpiry();
      this.#reloadSoon();
    }, settings.checkMs ?? certificateCheckMs);
    this.#check.unref();
  }

  /** Reads or makes the certificate; throws CERTIFICATE_UNUSABLE, which names the wrong file. */
  static async open(settings: CertificateSettings): Promise<Certificates> {
    const { files, folder, log } = settings;
    const current = files === undefined ? await storedSelfSigned(folder) : await readCertificate(files);
    log.info(files === undefined ? "self-signed certificate" : "certificate", {
      file: (files ?? selfSignedPaths(folder)).cert,
      sha256: current.fingerprint,
      expires: current.expires.toISOString(),
    });
    warnIfKeyIsShared(settings);
    return new Certificates(settings, current);
  }

  get current(): Certificate {
    return this.#current;
  }

  /** Calls `listener` with every new certificate. The returned function ends that. */
  onChange(listener: CertificateListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#check);
    clearTimeout(this.#settling);
    for (const watcher of this.#watchers.splice(0)) watcher.close();
    this.#listeners.clear();
  }

  /** Watches the folders, not the files: a renewal replaces a file, or a link, by another one. */
  #watch({ cert, key }: CertificatePaths): void {
    for (const folder of new Set([dirname(cert), dirname(key)])) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#changed());
        watcher.on("error", (error) =>
          this.#settings.log.debug("a folder is no longer watched", { folder, error }),
        );
        this.#watchers.push(watcher);
      } catch (error) {
        this.#settings.log.debug("a folder cannot be watched", { folder, error });
      }
    }
  }

  /** Waits until the folder is quiet for a moment: a certificate and its key are written one after the other. */
  #changed(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#reloadSoon(), certificateSettleMs);
  }

  #reloadSoon(): void {
    this.#reloading = this.#reloading.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    if (this.#closed) return;
    try {
      this.#use(await this.#read());
      this.#failure = "";
    } catch (error) {
      this.#fail(error);
    }
  }

  async #read(): Promise<Certificate> {
    const { files, folder } = this.#settings;
    if (files !== undefined) return await readCertificate(files);
    return isDue(this.#current) ? await makeSelfSigned(folder) : this.#current;
  }

  #use(certificate: Certificate): void {
    const { cert, key } = this.#current;
    if (this.#closed || (certificate.cert === cert && certificate.key === key)) return;
    this.#current = certificate;
    const { fingerprint, expires } = certificate;
    this.#settings.log.info("new certificate", { sha256: fingerprint, expires: expires.toISOString() });
    this.#checkExpiry();
    warnIfKeyIsShared(this.#settings);
    for (const listener of this.#listeners) listener(certificate);
  }

  #checkExpiry(): void {
    const { readiness, log } = this.#settings;
    const { expires } = this.#current;
    if (expires.getTime() > Date.now()) {
      readiness.clear("CERTIFICATE_EXPIRED");
    } else if (readiness.set("CERTIFICATE_EXPIRED")) {
      log.warn("the certificate has expired: clients refuse it", { expires: expires.toISOString() });
    }
  }

  #fail(error: unknown): void {
    const failure = toWavecacheError(error);
    if (failure.message === this.#failure) return;
    this.#failure = failure.message;
    const { hint } = errorRow(failure.code);
    this.#settings.log.error("the certificate stays the old one", {
      error: failure.message,
      hint,
    });
  }
}

/** A group may read the key: some systems keep keys in a group of their own. */
const widestKeyMode = 0o640;

function warnIfKeyIsShared({ files, folder, log }: CertificateSettings): void {
  const { key } = files ?? selfSignedPaths(folder);
  if (!permitsMoreThan(key, widestKeyMode)) return;
  log.warn("other users of this machine can read the private key; chmod 600 keeps it to its owner", { key });
}
