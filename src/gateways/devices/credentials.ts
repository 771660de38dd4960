/** The certificate of the gRPC port: connections that begin after a renewal get the new one. */
import { ServerCredentials } from "@grpc/grpc-js";

/** In PEM. */
export interface ServerCertificate {
  cert: string;
  key: string;
}

/** What this door needs of the certificates that all TLS ports share. */
export interface CertificateSource {
  readonly current: ServerCertificate;
  /** Until the function that comes back is called. */
  onChange(listener: (certificate: ServerCertificate) => void): () => void;
}

/** The library's own credentials keep what they began with. */
export class RenewedCredentials extends ServerCredentials {
  constructor({ cert, key }: ServerCertificate) {
    super({}, { cert, key });
  }

  renew({ cert, key }: ServerCertificate): void {
    this.updateSecureContextOptions({ cert, key });
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
