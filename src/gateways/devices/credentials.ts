/** The certificate of the gRPC port. Connections opened after a renewal get the new one. */
import { ServerCredentials } from "@grpc/grpc-js";
import { tlsContext } from "../../listen/tls-context.ts";

/** In PEM. */
export interface ServerCertificate {
  cert: string;
  key: string;
}

/** The certificates that all TLS ports share. */
export interface CertificateSource {
  readonly current: ServerCertificate;
  /** Returns a function that removes the listener. */
  onChange(listener: (certificate: ServerCertificate) => void): () => void;
}

/** The SSL credentials of grpc-js keep their first certificate; these can replace it. */
export class RenewableCredentials extends ServerCredentials {
  constructor(certificate: ServerCertificate) {
    super({}, tlsContext(certificate));
  }

  renew(certificate: ServerCertificate): void {
    this.updateSecureContextOptions(tlsContext(certificate));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
