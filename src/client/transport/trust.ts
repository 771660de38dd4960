/** Verification of the server's certificate, and the errors when it fails. */
import { systemCode } from "../../base/errors.ts";
import { ClientError, type ClientErrorCode } from "../errors.ts";

export interface Trust {
  /** Certificates to trust instead of the well-known authorities, in PEM. */
  ca?: string | undefined;
  /** Disables certificate verification: anyone on the network path can read and change the data. */
  insecure?: boolean;
}

/** Options for the platform's TLS. `rejectUnauthorized` is always explicit, because an environment variable can clear it. */
export function tlsOptions({ ca, insecure = false }: Trust): { rejectUnauthorized: boolean; ca?: string } {
  return ca === undefined ? { rejectUnauthorized: !insecure } : { rejectUnauthorized: !insecure, ca };
}

const clientCodes: Record<string, ClientErrorCode> = {
  ERR_TLS_CERT_ALTNAME_INVALID: "CERTIFICATE_OF_OTHER_HOST",
  HOSTNAME_MISMATCH: "CERTIFICATE_OF_OTHER_HOST",
  CERT_HAS_EXPIRED: "CERTIFICATE_EXPIRED",
  CERT_NOT_YET_VALID: "CERTIFICATE_TOO_NEW",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "CERTIFICATE_UNTRUSTED",
  UNABLE_TO_GET_ISSUER_CERT: "CERTIFICATE_UNTRUSTED",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "CERTIFICATE_UNTRUSTED",
  DEPTH_ZERO_SELF_SIGNED_CERT: "CERTIFICATE_UNTRUSTED",
  SELF_SIGNED_CERT_IN_CHAIN: "CERTIFICATE_UNTRUSTED",
  CERT_SIGNATURE_FAILURE: "CERTIFICATE_UNTRUSTED",
  CERT_UNTRUSTED: "CERTIFICATE_UNTRUSTED",
  INVALID_CA: "CERTIFICATE_UNTRUSTED",
  EPROTO: "NO_TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "NO_TLS",
};

/** The error of a failed TLS handshake with `host`; undefined for any other failure. */
export function trustError(error: unknown, host: string): ClientError | undefined {
  const code = systemCode(error) ?? "";
  const known = clientCodes[code];
  if (known !== undefined) return new ClientError(known, host);
  return /^(?:CERT_|ERR_SSL_|ERR_TLS_)/.test(code)
    ? new ClientError("NO_TLS", `${host} (${code})`)
    : undefined;
}
