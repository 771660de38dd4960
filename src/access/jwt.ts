/**
 * JSON Web Tokens (RFC 7519) of another program: signed with a secret that it shares (HS256), or with keys whose public
 * halves are in a key set (JWKS, RFC 7517). The claim `wavecache` has the grants: a text, or a list of texts.
 */
import { createHmac } from "node:crypto";
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import type { JWTVerifyGetKey, JWTVerifyOptions } from "jose";
import { toWavecacheError, WavecacheError } from "../base/errors.ts";
import { jwksTimeoutMs, jwtSkewSeconds, maxJwtChars, minSecretBytes } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import { RateLimitedLog } from "../base/log/rate-limited-log.ts";
import { Grants } from "./grants.ts";
import { readKeyFile, unusable } from "./key-file.ts";

export interface JwtSettings {
  /** A file with the secret; at most one of the two is set. */
  secretFile: string | undefined;
  /** The URL or the file of a key set. */
  jwks: string | undefined;
  /** Undefined for any. */
  issuer: string | undefined;
  audience: string | undefined;
}

interface Keys {
  get: JWTVerifyGetKey;
  /** The secret, the text of the key set, or where it is. */
  source: string | Uint8Array;
}

/** What a JWT says, once its signature is known to be right. */
export interface VerifiedJwt {
  subject: string;
  grants: Grants;
  /** In milliseconds since 1970, the clock skew included. */
  expiresAt: number;
}

/** A secret signs with HMAC, a key set never does: its keys are public. */
const secretAlgorithms = ["HS256"];
const publicAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];

const claim = "wavecache";
const shape = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export class Jwts {
  readonly #key: JWTVerifyGetKey;
  readonly #options: JWTVerifyOptions;
  readonly #log: RateLimitedLog;
  /** Names the keys, and what else a JWT must have: servers with the same ones accept the same JWTs. */
  readonly verifier: string;

  private constructor(keys: Keys, options: JWTVerifyOptions, log: Log) {
    this.#key = keys.get;
    const { algorithms, issuer, audience } = options;
    const text = JSON.stringify([algorithms, issuer, audience]);
    this.verifier = createHmac("sha256", keys.source).update(text).digest("hex");
    this.#options = options;
    this.#log = new RateLimitedLog(log);
  }

  /** Undefined without keys. Rejects with CREDENTIALS_UNUSABLE. */
  static async open(settings: JwtSettings, log: Log): Promise<Jwts | undefined> {
    const { secretFile, jwks, issuer, audience } = settings;
    if (secretFile === undefined && jwks === undefined) return undefined;
    const keys = secretFile === undefined ? await keySet(jwks!, log) : await secretKey(secretFile, log);
    const options: JWTVerifyOptions = {
      algorithms: secretFile === undefined ? publicAlgorithms : secretAlgorithms,
      clockTolerance: jwtSkewSeconds,
      requiredClaims: ["exp"],
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
    };
    return new Jwts(keys, options, log);
  }

  /** Whether it could be a JWT at all. */
  static hasShape(text: string): boolean {
    return text.length <= maxJwtChars && shape.test(text);
  }

  /** Rejects with UNAUTHENTICATED. */
  async verify(text: string): Promise<VerifiedJwt> {
    try {
      const { payload } = await jwtVerify(text, this.#key, {
        ...this.#options,
        currentDate: new Date(sharedNow()),
      });
      return {
        subject: payload.sub ?? "",
        grants: Grants.parse(grantsOf(payload)),
        expiresAt: (payload.exp! + jwtSkewSeconds) * 1000,
      };
    } catch (error) {
      if (!isOfToken(error)) this.#log.error("the keys of JWTs cannot be had", { error });
      throw new WavecacheError("UNAUTHENTICATED", toWavecacheError(error).detail);
    }
  }
}

function grantsOf(payload: JWTPayload): string {
  const grants = payload[claim];
  if (Array.isArray(grants)) return grants.map(String).join(" ");
  return typeof grants === "string" ? grants : "";
}

/** Whether the JWT is wrong, and not the server that has the keys. */
function isOfToken(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout) return false;
  return !(error instanceof TypeError) && !(error instanceof Error && error.constructor === errors.JOSEError);
}

async function secretKey(file: string, log: Log): Promise<Keys> {
  const secret = new TextEncoder().encode((await readKeyFile(file, log)).trimEnd());
  if (secret.length < minSecretBytes)
    throw unusable(`${file} needs a secret of at least ${minSecretBytes} bytes`);
  return { get: async () => secret, source: secret };
}

async function keySet(place: string, log: Log): Promise<Keys> {
  if (/^https?:\/\//.test(place))
    return { get: createRemoteJWKSet(new URL(place), { timeoutDuration: jwksTimeoutMs }), source: place };
  const text = await readKeyFile(place, log);
  try {
    return { get: createLocalJWKSet(JSON.parse(text)), source: text };
  } catch (error) {
    throw unusable(`${place} holds no key set (${error instanceof Error ? error.message : String(error)})`);
  }
}
