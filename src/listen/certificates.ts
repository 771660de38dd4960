/**
 * The certificate that all TLS ports of the server share: from two files, or signed by itself. New files are taken over
 * while the server runs; files that cannot be used leave the certificate as it is, with an error in the log.
 */
import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { errorRow, toWavecacheError } from "../base/errors.ts";
import { certificateCheckMs, certificateSettleMs } from "../base/limits/connections.ts";
import type { Log } from "../base/log.ts";
import { type Certificate, type CertificatePaths, readCertificate } from "./certificate-files.ts";
import { isDue, keptSelfSigned, makeSelfSigned, selfSignedPaths } from "./self-signed.ts";

export interface CertificateSettings {
  /** Undefined: a self-signed certificate. */
  files: CertificatePaths | undefined;
  /** Where a self-signed one is kept. */
  folder: string;
  log: Log;
  /** How often the files are looked at, whether a change was noticed or not. */
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
  /** Reloads follow each other. */
  #reloading: Promise<void> = Promise.resolve();
  /** The failure that was logged last: a check that meets it again says nothing. */
  #failure = "";
  #closed = false;

  private constructor(settings: CertificateSettings, current: Certificate) {
    this.#settings = settings;
    this.#current = current;
    if (settings.files !== undefined) this.#watch(settings.files);
    // The watching of folders misses what network file systems and links further up do.
    this.#check = setInterval(() => this.#reloadSoon(), settings.checkMs ?? certificateCheckMs);
    this.#check.unref();
  }

  /** Reads or makes the certificate; throws CERTIFICATE_UNUSABLE, which names the file at fault. */
  static async open(settings: CertificateSettings): Promise<Certificates> {
    const { files, folder, log } = settings;
    const current = files === undefined ? await keptSelfSigned(folder) : await readCertificate(files);
    log.info(files === undefined ? "certificate signed by itself" : "certificate", {
      file: (files ?? selfSignedPaths(folder)).cert,
      sha256: current.fingerprint,
      expires: current.expires.toISOString(),
    });
    warnIfExpired(current, log);
    return new Certificates(settings, current);
  }

  get current(): Certificate {
    return this.#current;
  }

  /** Calls `listener` with every new certificate, until the function that comes back is called. */
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

  /** The folders, not the files: a renewal puts another file, or another link, in a file's place. */
  #watch({ cert, key }: CertificatePaths): void {
    for (const folder of new Set([dirname(cert), dirname(key)])) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#noticed());
        watcher.on("error", (error) =>
          this.#settings.log.debug("a folder is not watched any more", { folder, error }),
        );
        this.#watchers.push(watcher);
      } catch (error) {
        this.#settings.log.debug("a folder cannot be watched", { folder, error });
      }
    }
  }

  /** Waits until the folder has been quiet for a moment: a certificate and its key are not written at once. */
  #noticed(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#reloadSoon(), certificateSettleMs);
  }

  #reloadSoon(): void {
    this.#reloading = this.#reloading.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    if (this.#closed) return;
    try {
      this.#take(await this.#read());
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

  #take(certificate: Certificate): void {
    const { cert, key } = this.#current;
    if (this.#closed || (certificate.cert === cert && certificate.key === key)) return;
    this.#current = certificate;
    const { fingerprint, expires } = certificate;
    this.#settings.log.info("new certificate", { sha256: fingerprint, expires: expires.toISOString() });
    warnIfExpired(certificate, this.#settings.log);
    for (const listener of this.#listeners) listener(certificate);
  }

  #fail(error: unknown): void {
    const failure = toWavecacheError(error);
    if (failure.message === this.#failure) return;
    this.#failure = failure.message;
    const { hint } = errorRow(failure.code);
    this.#settings.log.error("the certificate stays the old one", { error: failure.message, hint });
  }
}

function warnIfExpired({ expires }: Certificate, log: Log): void {
  if (expires.getTime() > Date.now()) return;
  log.warn("the certificate has expired: clients refuse it", { expires: expires.toISOString() });
}
